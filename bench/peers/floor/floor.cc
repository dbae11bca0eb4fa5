// A bare loop: what one process can do with these servers and nothing in between.
//
// Each turn takes what has arrived, up to a batch, through one look-up, one locking, one
// transaction and one ack. While the database works, the loop publishes the batch before and reads
// the deliveries of the next. Whatever goes wrong ends the process with an error: what it had in
// hand is delivered again.
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <iterator>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bench/peers/floor/broker.h"
#include "bench/peers/floor/locks.h"
#include "bench/peers/floor/store.h"

namespace iq::bench::floor {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatchMax = 256;
constexpr std::size_t kWaitingMax = 2 * kBatchMax;
constexpr std::uint16_t kPrefetch = 4 * kBatchMax;
constexpr auto kIdleWait = 1000ms;
constexpr auto kLockedWait = 1ms;

std::atomic<bool> stop{false};  // NOLINT(*-non-const-global-variables): for signals

std::string Environment(const char* name) {
  const char* const value = getenv(name);  // NOLINT(concurrency-mt-unsafe): at start
  if (value == nullptr) throw std::runtime_error(fmt::format("{} is not set", name));
  return value;
}

// In order of arrival: within a wave no two commands share a key.
std::vector<Group> Waves(const std::vector<Command*>& commands) {
  std::vector<std::array<Group, kKinds>> waves;
  std::unordered_map<std::string_view, std::size_t> next_wave;  // By key: the first without it.
  for (Command* command : commands) {
    std::size_t wave = 0;
    for (const std::string& key : command->keys) wave = std::max(wave, next_wave[key]);
    for (const std::string& key : command->keys) next_wave[key] = wave + 1;
    if (wave == waves.size()) waves.emplace_back();
    waves[wave].at(static_cast<std::size_t>(command->kind)).commands.push_back(command);
  }
  std::vector<Group> groups;
  for (auto& wave : waves) {
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      if (wave.at(kind).commands.empty()) continue;
      groups.push_back({static_cast<Kind>(kind), std::move(wave.at(kind).commands)});
    }
  }
  return groups;
}

bool Share(const std::vector<std::string>& keys, const std::unordered_set<std::string_view>& with) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return with.contains(key); });
}

class Loop {
 public:
  Loop()
      : consumer_(Environment("IQ_BROKER_URL"), "billing", kPrefetch),
        publisher_(Environment("IQ_BROKER_URL")),
        store_(Environment("IQ_STORE_URL")),
        locks_(Environment("IQ_LOCKS_URL")) {}

  void Run() {
    while (!stop) Turn();
    Publish();
    while (!unconfirmed_.empty()) {
      WaitForInput(consumer_, publisher_, kIdleWait);
      Collect();
    }
    consumer_.Close();
    publisher_.Close();
  }

 private:
  using Commands = std::vector<std::unique_ptr<Command>>;
  struct Published {
    Commands commands;
    std::uint64_t last;  // The number of their last message.
  };

  void Turn();
  void Receive();
  std::vector<Command*> Candidates();
  bool Decide(const std::vector<Command*>& candidates);
  void Recall(const std::vector<Command*>& commands);
  std::vector<Command*> Ready(const std::vector<Command*>& candidates);
  bool CarryOut(const std::vector<Command*>& commands);
  void MoveDecided();
  void Publish();
  void Collect();

  Consumer consumer_;
  Publisher publisher_;
  Store store_;
  Locks locks_;
  std::deque<std::unique_ptr<Command>> waiting_;
  Commands decided_;                   // Not published yet.
  std::deque<Published> unconfirmed_;  // Not acked yet.
};

void Loop::Turn() {
  Receive();
  const std::vector<Command*> candidates = Candidates();
  if (!candidates.empty()) {
    // What is tried again needs its locks for a whole lease again.
    while (!Decide(candidates)) locks_.GiveBack();
    locks_.GiveBack();
  }
  const bool locked = !candidates.empty() &&
                      std::none_of(candidates.begin(), candidates.end(),
                                   [](const Command* each) { return each->verdict.has_value(); });
  MoveDecided();
  Collect();
  if (!waiting_.empty() && !locked) return;
  Publish();  // There is no next batch to do it under.
  if (locked) {
    std::this_thread::sleep_for(kLockedWait);
  } else {
    WaitForInput(consumer_, publisher_, kIdleWait);
  }
}

void Loop::Receive() {
  if (waiting_.size() >= kWaitingMax) return;
  for (Envelope& envelope : consumer_.Receive(kWaitingMax - waiting_.size())) {
    waiting_.push_back(Decode(std::move(envelope)));
  }
}

// The next commands, without the second of two with one id: it meets the first one's row next time.
std::vector<Command*> Loop::Candidates() {
  std::vector<Command*> candidates;
  std::set<Uuid> ids;
  std::unordered_set<std::string_view> waiting_keys;
  for (const auto& command : waiting_) {
    if (candidates.size() == kBatchMax) break;
    if (command->verdict) continue;
    if (ids.insert(command->uuid).second && !Share(command->keys, waiting_keys)) {
      candidates.push_back(command.get());
    } else {
      waiting_keys.insert(command->keys.begin(), command->keys.end());
    }
  }
  return candidates;
}

// False when another process was quicker with one of them: then nothing was done.
bool Loop::Decide(const std::vector<Command*>& candidates) {
  std::vector<Command*> unknown;
  std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(unknown),
               [](const Command* each) { return !each->looked_up; });
  if (!unknown.empty()) store_.SendRecall(unknown);
  locks_.Ask(candidates);
  if (!unknown.empty()) Recall(unknown);
  const std::vector<Command*> ready = Ready(candidates);
  return ready.empty() || CarryOut(ready);
}

// A short cut: what decides is the journal's key, when the batch is recorded.
void Loop::Recall(const std::vector<Command*>& commands) {
  const auto recalled = store_.ReadRecall();
  for (Command* command : commands) {
    command->looked_up = true;
    const auto row = recalled.find(command->uuid);
    if (row == recalled.end()) continue;
    const std::string_view hash(reinterpret_cast<const char*>(command->payload_hash.data()),
                                command->payload_hash.size());
    command->verdict =
        row->second.payload_hash == hash
            ? row->second.verdict
            : Verdict{Outcome::kInvalid, "id_conflict", "another command had this id", {}};
  }
}

// Those whose locks are ours, unless a command before them waits for one of their keys.
std::vector<Command*> Loop::Ready(const std::vector<Command*>& candidates) {
  std::vector<Command*> ready;
  std::unordered_set<std::string_view> waiting_keys;
  const std::vector<bool> taken = locks_.Answer();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Command* const command = candidates[i];
    if (command->verdict) continue;
    if (taken[i] && !Share(command->keys, waiting_keys)) {
      ready.push_back(command);
    } else {
      waiting_keys.insert(command->keys.begin(), command->keys.end());
    }
  }
  return ready;
}

bool Loop::CarryOut(const std::vector<Command*>& commands) {
  const std::vector<Group> groups = Waves(commands);
  store_.SendEffects(groups);
  Publish();  // The batch before, while the database works on this one.
  Collect();
  const auto effects = store_.ReadEffects(groups);
  const std::string now = Rfc3339Now();
  for (std::size_t group = 0; group < groups.size(); ++group) {
    for (std::size_t i = 0; i < effects[group].size(); ++i) {
      Command* const command = groups[group].commands[i];
      command->verdict = Judge(*command, effects[group][i], now);
    }
  }
  if (!locks_.Safe()) throw std::runtime_error("a lock may have been lost before the commit");
  store_.SendCommit(commands);
  Receive();
  if (store_.ReadCommit()) return true;
  for (Command* command : commands) {
    command->verdict.reset();
    command->looked_up = false;
  }
  return false;
}

void Loop::MoveDecided() {
  std::deque<std::unique_ptr<Command>> rest;
  for (auto& command : waiting_) {
    if (command->verdict) {
      decided_.push_back(std::move(command));
    } else {
      rest.push_back(std::move(command));
    }
  }
  waiting_ = std::move(rest);
}

void Loop::Publish() {
  if (decided_.empty()) return;
  publisher_.Publish(decided_);
  unconfirmed_.push_back({std::exchange(decided_, {}), publisher_.last()});
}

void Loop::Collect() {
  const std::uint64_t confirmed = publisher_.Confirmed();
  for (; !unconfirmed_.empty() && unconfirmed_.front().last <= confirmed;
       unconfirmed_.pop_front()) {
    for (const auto& command : unconfirmed_.front().commands) consumer_.Settle(command->envelope);
  }
  consumer_.Ack();
}

void HandleStop(int /*signal*/) { stop = true; }

void Main() {
  struct sigaction action {};
  action.sa_handler = HandleStop;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  Loop().Run();
}

}  // namespace
}  // namespace iq::bench::floor

int main() {
  try {
    iq::bench::floor::Main();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "floor: {}\n", error.what());
    return 1;
  }
}
