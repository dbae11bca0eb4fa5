#include "host/dead/dead_retrier.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "host/base/digest.h"
#include "host/base/log.h"
#include "host/bus.h"
#include "host/command.h"
#include "host/journal.h"
#include "host/outcome.h"
#include "host/outgoing.h"

namespace iq {
namespace {

constexpr std::chrono::seconds kPatience{30};

bool EndedAs(const DeadLetter& letter, Outcome outcome) {
  return letter.outcome == OutcomeName(outcome);
}

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

}  // namespace

DeadRetrier::DeadRetrier(const Config& config, Broker& broker)
    : config_(config),
      targets_(config, broker),
      store_(OpenStore(config.store.url)),
      session_(store_->Open(config.limits.deadline)),
      sender_(broker, kPatience) {}

std::vector<RetriedLetter> DeadRetrier::Retry(std::span<const DeadLetter> letters) {
  std::vector<RetriedLetter> retried;
  retried.reserve(letters.size());
  for (const DeadLetter& letter : letters) {
    retried.push_back({letter.name, letter.type, letter.journal_uuid, targets_.Of(letter), false});
  }
  Rejections rejections = RemoveRejections(letters);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const DeadLetter& letter = letters[i];
    sender_.Send({"", retried[i].queue}, CopyOf(letter, rejections));
    retried[i].journal_row_removed = rejections.removed.erase(letter.journal_uuid) > 0;
  }
  sender_.Flush();
  return retried;
}

bool DeadRetrier::WouldConflict(const DeadLetter& letter) {
  if (letter.journal_uuid.empty()) return false;
  const auto found = Journal(*session_).Find({&letter.journal_uuid, 1});
  if (found.empty()) return false;
  const JournalEntry& entry = found.begin()->second;
  if (EndedAs(letter, Outcome::kRejected) && entry.verdict.outcome == Outcome::kRejected) {
    return false;  // That row goes.
  }
  return entry.payload_hash != Sha256Hex(letter.delivery.message.body);
}

// An interruption may have left a letter behind, and its copy may have been rejected since: then
// the row knows of more events than the letter does.
DeadRetrier::Rejections DeadRetrier::RemoveRejections(std::span<const DeadLetter> letters) {
  std::vector<std::string> uuids;
  for (const DeadLetter& letter : letters) {
    if (!EndedAs(letter, Outcome::kRejected) || letter.journal_uuid.empty()) continue;
    uuids.push_back(letter.journal_uuid);
  }
  Rejections rejections;
  if (uuids.empty()) return rejections;
  Journal journal(*session_);
  for (const auto& [uuid, entry] : journal.Find(uuids)) {
    rejections.events[uuid] = EventsUpTo(entry, uuid);
  }
  for (std::string& uuid : journal.RemoveRejected(uuids)) {
    log::Info(fmt::format("removed the rejection of {} from the journal", uuid));
    rejections.removed.insert(std::move(uuid));
  }
  return rejections;
}

Message DeadRetrier::CopyOf(const DeadLetter& letter, const Rejections& rejections) const {
  Message message = WithoutEpitaph(letter.delivery.message);
  std::size_t used = EventsBefore(message);
  // A rejection was one event, and giving a command up was one.
  if (EndedAs(letter, Outcome::kRejected) || EndedAs(letter, Outcome::kFailed) ||
      EndedAs(letter, Outcome::kRetry)) {
    ++used;
  }
  const auto known = rejections.events.find(letter.journal_uuid);
  if (known != rejections.events.end()) used = std::max(used, known->second);
  Rejuvenate(letter, message);
  if (used > 0) message.headers[kEventIndexHeader] = {static_cast<std::int64_t>(used)};
  return message;
}

// A letter may have waited for longer than the journal remembers. One that was refused for its own
// age is refused again: it may have been carried out before it was forgotten. Others were not.
void DeadRetrier::Rejuvenate(const DeadLetter& letter, Message& message) const {
  if (letter.code == kTooOld || !IsTooOld(message, config_.journal)) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  message.timestamp_s =
      static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(now).count());
}

}  // namespace iq
