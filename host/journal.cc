#include "host/journal.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/base/utf8.h"
#include "host/base/uuid.h"

namespace iq {
namespace {

std::vector<Event> ReadEvents(const std::string& text) {
  std::vector<Event> events;
  for (const nlohmann::json& body : nlohmann::json::parse(text)) {
    events.push_back({body.at("id"), body.at("event"), body.at("occurredAt"), body.dump()});
  }
  return events;
}

JournalEntry ReadEntry(JournalRow row) {
  JournalEntry entry;
  entry.command_id = std::move(row.command_id);
  entry.verdict.outcome =
      row.outcome == OutcomeName(Outcome::kDone) ? Outcome::kDone : Outcome::kRejected;
  entry.verdict.code = std::move(row.code);
  entry.verdict.reason = std::move(row.reason);
  entry.verdict.events = ReadEvents(row.events);
  entry.verdict.final = true;
  entry.payload_hash = std::move(row.payload_hash);
  entry.correlation_id = std::move(row.correlation_id);
  entry.traceparent = std::move(row.traceparent);
  return entry;
}

std::string EventsAsArray(const std::vector<Event>& events) {
  std::string array = "[";
  for (const Event& event : events) {
    if (array.size() > 1) array += ',';
    array += event.body;
  }
  return array + ']';
}

NewJournalRow MakeRow(const JournalLine& line) {
  const Command& command = *line.command;
  const Verdict& verdict = *line.verdict;
  NewJournalRow row;
  row.uuid = command.uuid;
  row.command_id = ValidUtf8(command.id);
  row.outcome = OutcomeName(verdict.outcome);
  row.code = verdict.code;
  row.reason = ValidUtf8(verdict.reason);
  row.events = EventsAsArray(verdict.events);
  row.payload_hash = command.payload_hash;
  row.correlation_id = ValidUtf8(command.delivery.message.correlation_id);
  row.traceparent = ValidUtf8(command.traceparent);
  row.type = command.type;
  row.plugin = ValidUtf8(line.plugin);
  row.attempts = command.attempt;
  row.keys.reserve(command.keys.size());
  for (const std::string& key : command.keys) row.keys.push_back(ValidUtf8(key));
  return row;
}

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace

WorkerIdentity WorkerIdentity::New() { return {RandomUuid(), 0, 0}; }

std::map<std::string, JournalEntry> Journal::Find(std::span<const std::string> uuids) {
  if (uuids.empty()) return {};
  Ask(uuids);
  return Answer();
}

std::map<std::string, JournalEntry> Journal::Answer() {
  std::map<std::string, JournalEntry> found;
  for (JournalRow& row : table_.Answer()) {
    std::string uuid = row.uuid;
    found.emplace(std::move(uuid), ReadEntry(std::move(row)));
  }
  return found;
}

void Journal::Record(std::span<const JournalLine> lines, const WorkerIdentity& worker) {
  std::vector<NewJournalRow> rows;
  rows.reserve(lines.size());
  for (const JournalLine& line : lines) rows.push_back(MakeRow(line));
  // Sorted, so that two workers that insert the same ids wait for each other in one direction only.
  std::sort(rows.begin(), rows.end(),
            [](const NewJournalRow& a, const NewJournalRow& b) { return a.uuid < b.uuid; });
  table_.Insert(rows, worker.id, worker.batch);
}

void Journal::NoteProgress(const WorkerIdentity& worker, bool in_transaction) {
  static const std::string host = HostName();
  // In a transaction, the batch that it commits is not confirmed yet.
  const std::int64_t unconfirmed_first = in_transaction ? worker.batch : worker.batch + 1;
  table_.NoteProgress(
      {worker.id, worker.confirmed, worker.confirmed + 1 == unconfirmed_first, host, getpid()},
      in_transaction);
}

std::optional<SilentWorker> Journal::ClaimSilentWorker(std::chrono::milliseconds silence) {
  return table_.ClaimSilentWorker(silence);
}

std::vector<std::pair<std::string, JournalEntry>> Journal::Unconfirmed(
    const SilentWorker& worker, const std::string& after_uuid, std::int64_t limit) {
  std::vector<std::pair<std::string, JournalEntry>> entries;
  for (JournalRow& row : table_.Unconfirmed(worker, after_uuid, limit)) {
    std::string uuid = row.uuid;
    entries.emplace_back(std::move(uuid), ReadEntry(std::move(row)));
  }
  return entries;
}

void Journal::RemoveSilentWorker(const SilentWorker& worker) { table_.RemoveSilentWorker(worker); }

void Journal::RemoveWorker(const WorkerIdentity& worker) { table_.RemoveWorker(worker.id); }

std::int64_t Journal::Prune(std::chrono::milliseconds keep, std::int64_t limit) {
  return table_.Prune(keep, limit);
}

Verdict JudgeRepeat(const Command& command, const JournalEntry& entry) {
  if (entry.payload_hash == command.payload_hash) return entry.verdict;
  return Verdict::Of(
      Outcome::kInvalid, "id_conflict",
      "another command with this id and another body was carried out before; the first "
      "outcome stands");
}

}  // namespace iq
