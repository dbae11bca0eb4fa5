// iq dead retry: has dead letters judged anew. Stopped anywhere, it loses nothing: a letter leaves
// the queue only after its copy is confirmed in the queue it goes back to.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>

#include "host/bus.h"
#include "host/cli/confirmed_sender.h"
#include "host/cli/dead.h"
#include "host/cli/dead_walk.h"
#include "host/cli/progress.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/command.h"
#include "host/journal.h"
#include "host/outcome.h"
#include "host/outgoing.h"
#include "host/store/store.h"

namespace iq::cli {
namespace {

constexpr std::chrono::seconds kPatience{30};

// How many event ids earlier judgements have used, as the letter says.
std::size_t EventsBefore(const Message& message) {
  const auto header = message.headers.find(kEventIndexHeader);
  if (header == message.headers.end()) return 0;
  const auto* count = std::get_if<std::int64_t>(&header->second.value);
  return count == nullptr || *count < 0 ? 0 : static_cast<std::size_t>(*count);
}

// How many event ids of the command are used up to and with the last one of `entry`.
std::size_t EventsUpTo(const JournalEntry& entry, const std::string& uuid) {
  constexpr std::size_t kRetriesMax = 10'000;
  if (entry.verdict.events.empty()) return 0;
  for (std::size_t index = 0; index < kRetriesMax; ++index) {
    if (EventId(uuid, index) == entry.verdict.events.back().id) return index + 1;
  }
  return 0;
}

class Retrier {
 public:
  Retrier(const Config& config, Broker& broker)
      : config_(config),
        broker_(broker),
        store_(OpenStore(config.store.url)),
        session_(store_->Open(config.limits.deadline)),
        sender_(broker, kPatience) {}

  struct Retried {
    std::string queue;
    bool journal_row_removed = false;
  };

  // Returns when the copy is confirmed.
  Retried Retry(const DeadLetter& letter) {
    Retried retried{Target(letter), false};
    RequireQueue(retried.queue);
    Message message = WithoutEpitaph(letter.delivery.message);
    std::size_t used = EventsBefore(message);
    if (letter.outcome == OutcomeName(Outcome::kRejected)) {
      // A rejection is one event.
      ++used;
      if (!letter.journal_uuid.empty()) RemoveRejection(letter.journal_uuid, retried, used);
    } else if (letter.outcome == OutcomeName(Outcome::kFailed) ||
               letter.outcome == OutcomeName(Outcome::kRetry)) {
      // Giving it up was one event.
      ++used;
    }
    Rejuvenate(letter, message);
    if (used > 0) message.headers[kEventIndexHeader] = {static_cast<std::int64_t>(used)};
    sender_.Send({"", retried.queue}, std::move(message));
    sender_.Flush();
    return retried;
  }

 private:
  // A letter may have waited for longer than the journal remembers. One that was refused for its
  // own age is refused again: it may have been carried out before it was forgotten. Others were
  // not.
  void Rejuvenate(const DeadLetter& letter, Message& message) const {
    if (letter.code == kTooOld || !IsTooOld(message, config_.journal)) return;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    message.timestamp_s =
        static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(now).count());
  }

  // An interruption may have left the letter behind, and its copy may have been rejected since:
  // then the row knows of more events than the letter does.
  void RemoveRejection(const std::string& uuid, Retried& retried, std::size_t& used) {
    Journal journal(*session_);
    const auto found = journal.Find({&uuid, 1});
    if (found.empty()) return;
    used = std::max(used, EventsUpTo(found.begin()->second, uuid));
    retried.journal_row_removed = journal.RemoveRejected(uuid);
    if (retried.journal_row_removed) {
      fmt::print(stderr, "removed the rejection of {} from the journal\n", uuid);
    }
  }

  std::string Target(const DeadLetter& letter) const {
    return letter.queue.empty() ? config_.consumers[0].queue : letter.queue;
  }

  void RequireQueue(const std::string& queue) {
    if (queue == config_.dead_letter.queue) {
      throw std::runtime_error(
          fmt::format("{}: a letter says that it came from this very queue; look at "
                      "it with `iq dead show`",
                      queue));
    }
    if (!known_queues_.contains(queue)) known_queues_[queue] = broker_.Inspect(queue).has_value();
    if (known_queues_[queue]) return;
    throw std::runtime_error(
        fmt::format("{} has no queue \"{}\" for a letter to go back to; `iq run` declares those of "
                    "consumers[]",
                    broker_.name(), OneLine(queue)));
  }

  const Config& config_;
  Broker& broker_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Session> session_;
  ConfirmedSender sender_;
  std::map<std::string, bool> known_queues_;
};

void PrintRetried(const DeadLetter& letter, const Retrier::Retried& retried, bool json) {
  if (json) {
    Print(RecordJson({{"id", letter.name},
                      {"type", letter.type},
                      {"queue", retried.queue},
                      {"journalRowRemoved", retried.journal_row_removed}}));
    return;
  }
  Print(
      fmt::format("{} back to {}{}\n", OneLine(letter.name), OneLine(retried.queue),
                  retried.journal_row_removed ? " (its rejection removed from the journal)" : ""));
}

}  // namespace

int RetryDead(const Config& config, const DeadSelection& selection, bool json) {
  const auto broker = OpenBroker(config.broker.url, "iq dead retry");
  DeadWalk walk(*broker, config);
  DeadChoice choice(selection);
  Retrier retrier(config, *broker);
  std::uint64_t passed = 0;
  Progress progress("looked at", walk.size());
  while (const auto letter = walk.Next()) {
    progress.Show(++passed);
    if (!choice.Takes(*letter)) continue;
    const Retrier::Retried retried = retrier.Retry(*letter);
    walk.Remove(*letter);
    PrintRetried(*letter, retried, json);
  }
  return choice.Report(config.dead_letter.queue);
}

}  // namespace iq::cli
