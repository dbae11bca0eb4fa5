#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "host/check/bodies.h"
#include "host/check/cases.h"
#include "host/check/stand_in_host.h"
#include "host/plugin_child.h"

namespace iq::check {
namespace {

constexpr int kThreads = 4;
// A thread goes on until both are reached: then the scheduler has stopped many a one in the middle
// of a handler.
constexpr int kRunsOnEachThreadMin = 200;
constexpr std::chrono::milliseconds kTogetherMin{300};
// What SQLite and the C++ library keep for later has come together by then.
constexpr int kWarmUpRounds = 200;
constexpr int kRounds = 1000;
constexpr int kRoundsToARestart = 20;
// A leak loses something in each round; less than this on average is noise.
constexpr std::int64_t kBytesARoundMax = 8;
// What malloc keeps at hand for a thread counts as in use. It grows ever more slowly, so that more
// rounds tell it from a leak, and not beyond this.
constexpr int kRoundsMax = 5 * kRounds;
constexpr std::int64_t kKeptAtHandMax = std::int64_t{1024} * 1024;

std::string_view View(iq_str text) { return {text.ptr, text.len}; }

std::size_t EntriesIn(const char* directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::size_t ThreadCount() { return EntriesIn("/proc/self/task"); }
std::size_t OpenFileCount() { return EntriesIn("/proc/self/fd"); }

std::int64_t BytesInUse() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

// An example of each type, or at least a body that its schema refuses.
std::vector<std::string> SomeBodies(const Plugin& plugin) {
  std::vector<std::string> bodies;
  for (const iq_command_type& type : plugin.commands()) {
    const auto examples = Examples(View(type.type), View(type.schema));
    bodies.insert(bodies.end(), examples.begin(), examples.end());
    if (examples.empty()) bodies.push_back(fmt::format(R"({{"type":"{}"}})", View(type.type)));
  }
  return bodies;
}

// Everything the plugin has, once.
void RunRound(StandInHost& host, const Plugin& plugin, const std::vector<std::string>& bodies) {
  for (const std::string& body : bodies) host.Handle(body);
  for (const Listener& listener : plugin.listeners()) {
    host.HandleEvent(listener.label, EventBodies(listener.pattern).front());
  }
}

void RunOnThreads(const LoadedPlugin& loaded, const Subject& subject) {
  const std::vector<std::string> bodies = SomeBodies(loaded.plugin());
  // All before the first thread, which would else be done before the last one has begun.
  std::vector<std::unique_ptr<StandInHost>> hosts;
  hosts.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    hosts.push_back(std::make_unique<StandInHost>(loaded, subject, fmt::format("thread-{}", i)));
  }
  std::mutex mutex;
  std::exception_ptr failure;
  const auto end = std::chrono::steady_clock::now() + kTogetherMin;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (const auto& host : hosts) {
    threads.emplace_back([&] {
      try {
        for (int run = 0; run < kRunsOnEachThreadMin || std::chrono::steady_clock::now() < end;
             ++run) {
          RunRound(*host, loaded.plugin(), bodies);
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
      }
      host->Restart();  // Handlers end on the thread that made them.
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

bool IsLeak(std::int64_t growth, int rounds) { return growth > kBytesARoundMax * rounds; }

}  // namespace

Finding CheckThreads(const Subject& subject) {
  const std::size_t before = ThreadCount();
  {
    plugin_child::Step("loading it");
    const LoadedPlugin loaded(subject);
    plugin_child::Step(fmt::format("handling its examples on {} threads at once", kThreads));
    RunOnThreads(loaded, subject);
    plugin_child::Step("its shutdown");
  }
  const std::size_t after = ThreadCount();
  if (after > before) {
    throw std::runtime_error(fmt::format(
        "{} of its threads still run after its shutdown: end them there", after - before));
  }
  return {.detail = fmt::format("{} threads, none left", kThreads)};
}

Finding CheckLeaks(const Subject& subject) {
  const LoadedPlugin loaded(subject);
  StandInHost host(loaded, subject, "leaks");
  const std::vector<std::string> bodies = SomeBodies(loaded.plugin());
  plugin_child::Step("handling its examples again and again");
  const auto run = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      if (i % kRoundsToARestart == 0) host.Restart();
      RunRound(host, loaded.plugin(), bodies);
    }
  };
  run(kWarmUpRounds);
  const std::int64_t bytes_before = BytesInUse();
  const std::size_t files_before = OpenFileCount();
  int rounds = 0;
  std::int64_t growth = 0;
  do {
    run(kRounds);
    rounds += kRounds;
    growth = BytesInUse() - bytes_before;
  } while (IsLeak(growth, rounds) && growth < kKeptAtHandMax && rounds < kRoundsMax);
  if (IsLeak(growth, rounds)) {
    throw std::runtime_error(fmt::format(
        "it leaks: {} bytes more are in use after {} rounds of its examples, {} a round", growth,
        rounds, growth / rounds));
  }
  const std::size_t files_after = OpenFileCount();
  if (files_after > files_before) {
    throw std::runtime_error(fmt::format("{} more files are open after {} rounds of its examples",
                                         files_after - files_before, rounds));
  }
  return {.detail = fmt::format("{} rounds, {} bytes more in use", rounds,
                                std::max<std::int64_t>(growth, 0))};
}

}  // namespace iq::check
