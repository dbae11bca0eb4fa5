// The journal: inbox, outbox and audit trail in one row a command, written in the command's own
// transaction. And the row a worker keeps of how far its events are confirmed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/command.h"
#include "host/outcome.h"
#include "host/store/journal_table.h"
#include "host/store/store.h"

namespace iq {

// A row of the journal, as far as it is asked for again.
struct JournalEntry {
  std::string command_id;
  std::string correlation_id;
  std::string traceparent;
  std::string payload_hash;  // Hex.
  Verdict verdict;
};

// The row that a command is about to get.
struct JournalLine {
  const Command* command = nullptr;
  const Verdict* verdict = nullptr;
  std::string plugin;
};

// Under which name a worker writes its rows. A worker takes a new one when it can no longer say
// which of its rows are confirmed; the sweeper then takes care of the old one's.
struct WorkerIdentity {
  std::string id;              // A UUID.
  std::int64_t batch = 0;      // The last transaction's number.
  std::int64_t confirmed = 0;  // Every event of the transactions up to this one is confirmed.

  static WorkerIdentity New();
};

// On a session; not thread-safe. What it throws is the session's.
class Journal {
 public:
  using SilentWorker = iq::SilentWorker;

  explicit Journal(Session& session) : table_(session.journal()) {}

  // Those of `uuids` that are there, by UUID.
  std::map<std::string, JournalEntry> Find(std::span<const std::string> uuids);
  // The same in two halves, with time for something else between them: Ask does not wait, and
  // Answer is the next call, or none.
  void Ask(std::span<const std::string> uuids) { table_.Ask(uuids); }
  std::map<std::string, JournalEntry> Answer();

  // Adds the rows to the current transaction, without waiting. A row that is already there fails
  // the transaction with kDuplicate: see IsRepeat.
  void Record(std::span<const JournalLine> lines, const WorkerIdentity& worker);
  bool IsRepeat(const StoreError& error) const { return table_.IsRepeat(error); }

  // Each of `uuids` has come again. On its own, and waited for.
  void NoteRepeats(std::span<const std::string> uuids) { table_.NoteRepeats(uuids); }

  // Writes the worker's row, in the current transaction (then without waiting) or on its own.
  void NoteProgress(const WorkerIdentity& worker, bool in_transaction);

  // Claims one worker that was not seen for `silence`, for another `silence`. Empty when there is
  // none.
  std::optional<SilentWorker> ClaimSilentWorker(std::chrono::milliseconds silence);
  // The next rows of `worker` after `confirmed` whose events may be unpublished, in the order of
  // their ids, from `after_uuid` on.
  std::vector<std::pair<std::string, JournalEntry>> Unconfirmed(const SilentWorker& worker,
                                                                const std::string& after_uuid,
                                                                std::int64_t limit);
  // Unless the worker turned out to live, and touched its row since the claim.
  void RemoveSilentWorker(const SilentWorker& worker);

  // For a worker that ends with everything confirmed.
  void RemoveWorker(const WorkerIdentity& worker);

  // Removes up to `limit` rows older than `keep`; how many it removed.
  std::int64_t Prune(std::chrono::milliseconds keep, std::int64_t limit);

  // Removes the rows of rejected commands, all at once, so that they can be judged anew. Returns
  // those of `uuids` that had one.
  std::vector<std::string> RemoveRejected(std::span<const std::string> uuids) {
    return table_.RemoveRejected(uuids);
  }

 private:
  JournalTable& table_;
};

// What a command that is already in the journal gets: the first verdict again, or a refusal where
// the body is another one.
Verdict JudgeRepeat(const Command& command, const JournalEntry& entry);

}  // namespace iq
