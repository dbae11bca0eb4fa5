#include "bench/arena.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "host/broker/broker.h"
#include "host/store/store.h"
#include "tests/support/eventually.h"

namespace iq::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kPublishAtATime = 5000;
constexpr auto kStep = 10ms;
// A contender that makes no progress for so long is given up.
constexpr auto kStallMax = 60s;
constexpr auto kStopMax = 60s;
// The first fifth of a run is not counted: the processes of a contender start meanwhile.
constexpr std::size_t kWarmUpShare = 5;
// The last acks follow the last events, where nobody else can see them, and then a host gives back
// the memory that its load has needed.
constexpr auto kAfterwards = 3s;
// By then each thread of a new process has had its turn.
constexpr auto kSettlesWithin = 3s;
// Above this, events are counted and no longer looked at one by one.
constexpr std::int64_t kEventsReadMax = 100'000;
constexpr std::size_t kEventsReadAtOnce = 50'000;

void Require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

std::string MakeDirectory() {
  std::string pattern = "/var/tmp/iq-bench-XXXXXX";
  return mkdtemp(pattern.data());
}

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

Memory MemoryOf(pid_t pid) {
  constexpr double kKibPerMib = 1024;
  Memory memory;
  std::istringstream lines(test::ReadFile(fmt::format("/proc/{}/status", pid)));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string field;
    double kib = 0;
    words >> field >> kib;
    if (field == "VmRSS:") memory.resident = kib / kKibPerMib;
    if (field == "RssAnon:") memory.own = kib / kKibPerMib;
  }
  return memory;
}

std::string LastLines(const std::string& text) {
  constexpr std::size_t kBytes = 2000;
  return text.substr(text.size() - std::min(text.size(), kBytes));
}

// User and system time of all processes in the sessions of `leaders`, so far.
double CpuSeconds(const std::set<pid_t>& leaders) {
  double ticks = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string stat = test::ReadFile(entry.path() / "stat");
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream fields(stat.substr(name_end + 1));
    std::vector<std::string> values{std::istream_iterator<std::string>(fields), {}};
    constexpr std::size_t kSession = 3;
    constexpr std::size_t kUserTicks = 11;
    if (values.size() <= kUserTicks + 1 || !leaders.contains(std::stoi(values[kSession]))) continue;
    ticks += std::stod(values[kUserTicks]) + std::stod(values[kUserTicks + 1]);
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// When so many events had arrived, as far as it was looked.
class Course {
 public:
  void Note(std::size_t events) { points_.emplace_back(events, Clock::now()); }

  // Events a second between two counts.
  double Rate(double from, double to) const {
    return (to - from) / Seconds(TimeOf(to) - TimeOf(from));
  }

 private:
  Clock::time_point TimeOf(double count) const {
    for (const auto& [events, at] : points_) {
      if (static_cast<double>(events) >= count) return at;
    }
    return points_.back().second;
  }

  std::vector<std::pair<std::size_t, Clock::time_point>> points_;
};

}  // namespace

Arena::Arena(test::ProfileName profile)
    : directory_(MakeDirectory()),
      profile_(test::OpenProfile(profile, directory_)),
      broker_(profile_->OpenBroker()),
      store_(profile_->OpenStore()) {
  profile_->Clear();
  test::Process migrate({IQ_BINARY_DIR "/iq", "migrate", "--config", IQ_SOURCE_DIR "/config.yaml"},
                        Options());
  const auto status = migrate.Wait(60s);
  Require(status && status->code == 0, "iq migrate failed");
  DeclareQueues();
}

Arena::~Arena() { std::filesystem::remove_all(directory_); }

// By a host that has nothing else to do in its life.
void Arena::DeclareQueues() {
  const Contender iq = Iq(1);
  const Processes host = Start(iq);
  AwaitConsumer();
  Stop(host);
  event_queue_ = broker_->DeclareTemporaryQueue();
  broker_->BindToEvents(event_queue_);
}

test::ProcessOptions Arena::Options() const {
  const test::Profile::Urls urls = profile_->urls();
  test::ProcessOptions options;
  options.directory = directory_;
  options.environment = {{"IQ_BROKER_URL", urls.broker},
                         {"IQ_STORE_URL", urls.store},
                         {"IQ_LOCKS_URL", urls.locks},
                         {"IQ_PLUGINS", IQ_BINARY_DIR "/plugins"}};
  options.stderr_file = directory_ + "/log";
  options.stdout_file = options.stderr_file;
  return options;
}

Arena::Processes Arena::Start(const Contender& contender) const {
  Processes processes;
  for (std::size_t i = 0; i < contender.processes; ++i) {
    processes.push_back(std::make_unique<test::Process>(contender.argv, Options()));
  }
  return processes;
}

void Arena::Stop(const Processes& processes) {
  for (const auto& process : processes) process->Signal(SIGTERM);
  for (const auto& process : processes) {
    const auto status = process->Wait(kStopMax);
    Require(status && status->code == 0, "it does not stop in order");
  }
}

void Arena::AwaitConsumer() {
  Require(test::Eventually(120s, [&] { return broker_->Consumers("billing") > 0; }),
          "it does not consume");
}

Memory Arena::IdleMemory() {
  const Processes host = Start(Iq(1));
  AwaitConsumer();
  std::this_thread::sleep_for(kSettlesWithin);
  const Memory memory = MemoryOf(host[0]->pid());
  Stop(host);
  return memory;
}

void Arena::FillJournal(std::int64_t rows) {
  // To build an index at once takes a fraction of the time that it takes row by row.
  store_->Rows("DROP INDEX iq.journal_keys");
  store_->Rows(
      "INSERT INTO iq.journal (message_id, command_id, type, outcome, events, payload_hash, "
      "plugin, attempts, worker, batch, committed_at, keys) "
      "SELECT gen_random_uuid(), 'old-' || i, 'income', "
      "CASE WHEN i % 100000 = 0 THEN 'rejected' ELSE 'done' END, "
      "'[{\"event\":\"balance.income\",\"data\":{\"userId\":1,\"sum\":1000,\"balance\":2000}}]', "
      "decode(md5(i::text), 'hex'), 'income/1.0.0', 1, gen_random_uuid(), i, "
      "now() - i * interval '50 milliseconds', "
      "ARRAY[CASE WHEN i % 100 = 1 THEN 'user:hot' ELSE 'user:' || i % 10000 END] "
      "FROM generate_series(1, CAST($1 AS bigint)) AS i",
      {std::to_string(rows)});
  store_->Rows("CREATE INDEX journal_keys ON iq.journal USING gin (keys)");
  store_->Rows("VACUUM ANALYZE iq.journal");
  // Or the run that follows would share the disk with what these rows have left to be written.
  store_->Rows("CHECKPOINT");
}

std::size_t Arena::Search(const JournalSearch& search) const {
  constexpr auto kStatementMax = 5s;
  const auto store = OpenStore(profile_->urls().store);
  const auto session = store->Open(kStatementMax);
  return JournalReader(session->journal()).Search(search).records.size();
}

void Arena::Fill(const Load& load) {
  load.Prepare(*store_);
  for (std::int64_t sent = 0; sent < load.commands(); sent += kPublishAtATime) {
    broker_->Publish(load.Commands(sent, std::min(sent + kPublishAtATime, load.commands())));
  }
}

Measured Arena::Drain(const Contender& contender, const Load& load) {
  try {
    return Measure(contender, load);
  } catch (const std::exception& why) {
    Disqualify(contender, why);
  }
}

void Arena::Disqualify(const Contender& contender, const std::exception& why) const {
  throw std::runtime_error(fmt::format("{}: {}\n{}", contender.Label(), why.what(),
                                       LastLines(test::ReadFile(directory_ + "/log"))));
}

Measured Arena::Measure(const Contender& contender, const Load& load) {
  Measured measured{.commands = load.commands()};
  const auto total = static_cast<std::size_t>(load.commands());
  Fill(load);
  const auto started = Clock::now();
  const Processes processes = Start(contender);
  std::set<pid_t> leaders;
  for (const auto& process : processes) leaders.insert(process->pid());
  Require(test::Eventually(120s, [&] { return broker_->Depth("billing") < total; }),
          "it takes nothing from the queue");
  const auto first_delivery = Clock::now();
  measured.delivery_s = Seconds(first_delivery - started);

  Course course;
  std::size_t events = 0;
  std::size_t warm_events = 0;
  Clock::time_point warm_at;
  double cpu_before = 0;
  auto progress_at = Clock::now();
  while (events < total) {
    std::this_thread::sleep_for(kStep);
    const std::size_t now = EventCount();
    if (events == 0 && now > 0) measured.event_s = Seconds(Clock::now() - started);
    if (now != events) progress_at = Clock::now();
    events = now;
    course.Note(events);
    if (warm_events == 0 && events >= total / kWarmUpShare) {
      warm_events = events;
      warm_at = Clock::now();
      cpu_before = CpuSeconds(leaders);
    }
    Require(Clock::now() - progress_at < kStallMax,
            fmt::format("it stalls after {} events", events));
  }
  const auto ended = Clock::now();
  Require(warm_events < total, "it was done before it was looked at: take more commands");
  const auto count = static_cast<double>(total);
  const auto counted = static_cast<double>(total - warm_events);
  measured.rate = counted / Seconds(ended - warm_at);
  measured.cpu_us = (CpuSeconds(leaders) - cpu_before) * 1e6 / counted;
  measured.first_tenth = course.Rate(count * 0.01, count * 0.11);
  measured.last_tenth = course.Rate(count * 0.9, count);
  // With events that came twice, some commands are still to be done.
  Require(test::Eventually(kStallMax, [&] { return broker_->Depth("billing") == 0; }),
          "it leaves commands in the queue");
  std::this_thread::sleep_for(kAfterwards);
  measured.memory_after = MemoryOf(processes[0]->pid());
  Stop(processes);
  Check(load);
  return measured;
}

void Arena::Check(const Load& load) {
  const std::string fault = load.Fault(*store_);
  Require(fault.empty(), fault);
  Require(broker_->Depth("billing") == 0 && broker_->Depth("billing.dead") == 0,
          "commands were left over or died");
  const std::size_t events = EventCount();
  const auto commands = static_cast<std::size_t>(load.commands());
  Require(events >= commands, "an event was lost");
  // Where each came once, their number says enough of a long run.
  if (events > commands || load.commands() <= kEventsReadMax) CheckEvents(load, events);
}

// Events come at least once: one lost and one repeated make the right number, and some that the
// broker was late to confirm come twice.
void Arena::CheckEvents(const Load& load, std::size_t events) {
  std::set<std::string> ids;
  for (std::size_t left = events; left > 0;) {
    const auto taken = broker_->Consume(event_queue_, std::min(left, kEventsReadAtOnce), 120s);
    Require(!taken.empty(), "the events cannot be read");
    for (const auto& event : taken) ids.insert(event.properties.message_id);
    left -= std::min(left, taken.size());
  }
  Require(ids.size() == static_cast<std::size_t>(load.commands()),
          "an event was lost, and another repeated");
  if (events > ids.size()) fmt::print("  {} events came twice\n", events - ids.size());
}

std::vector<double> Arena::Latencies(const Contender& contender, const Load& load, int rate) {
  try {
    return MeasureLatencies(contender, load, rate);
  } catch (const std::exception& why) {
    Disqualify(contender, why);
  }
}

std::vector<double> Arena::MeasureLatencies(const Contender& contender, const Load& load,
                                            int rate) {
  load.Prepare(*store_);
  const Processes processes = Start(contender);
  AwaitConsumer();
  const auto broker = OpenBroker(profile_->urls().broker, "iq bench");
  const auto events = broker->Subscribe("billing.events", "#");
  std::map<std::string, Clock::time_point> sent_at;
  std::vector<double> latencies;
  const auto period = std::chrono::duration_cast<Clock::duration>(1s) / rate;
  // Ten processes need some seconds until each has begun and had commands of each type.
  const std::int64_t warm_up = 3 * rate;
  std::map<std::string, Clock::time_point> received_at;
  std::thread receiver([&] {
    constexpr std::size_t kAtATime = 100;
    auto last = Clock::now();
    while (received_at.size() < static_cast<std::size_t>(load.commands()) &&
           Clock::now() - last < kStallMax) {
      for (const Delivery& event : events->Receive(kAtATime, 100ms)) {
        last = Clock::now();
        received_at.emplace(event.message.correlation_id, last);
      }
    }
  });
  auto next = Clock::now();
  for (std::int64_t number = 0; number < load.commands(); ++number) {
    std::this_thread::sleep_until(next);
    next += period;
    const auto command = load.Commands(number, number + 1);
    sent_at[command[0].properties.message_id] = Clock::now();
    broker_->Publish(command);
  }
  receiver.join();
  std::this_thread::sleep_for(kAfterwards);
  Stop(processes);
  Require(received_at.size() == sent_at.size(), "it lost an event");
  for (std::int64_t number = warm_up; number < load.commands(); ++number) {
    const std::string id = fmt::format("bench-{}", number);
    latencies.push_back(Seconds(received_at.at(id) - sent_at.at(id)) * 1e3);
  }
  std::sort(latencies.begin(), latencies.end());
  return latencies;
}

}  // namespace iq::bench
