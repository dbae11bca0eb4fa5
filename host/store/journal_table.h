// The rows that iq keeps for itself (journal and workers), as a database holds them: the statements
// of one dialect each. What the rows mean is decided in host/journal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace iq {

class StoreError;

// A journal row as far as it is asked for again. An empty text stands for NULL where that may be.
struct JournalRow {
  std::string uuid;
  std::string command_id;
  std::string outcome;
  std::string code;
  std::string reason;
  std::string events;        // A JSON array.
  std::string payload_hash;  // Hex.
  std::string correlation_id;
  std::string traceparent;
};

struct NewJournalRow : JournalRow {
  std::string type;
  std::string plugin;
  std::int64_t attempts = 0;
  std::vector<std::string> keys;  // Of its locks; valid UTF-8 without NUL.
};

// A row as people are shown it.
struct JournalRecord : JournalRow {
  std::string type;
  std::string plugin;
  std::string keys;          // A JSON array of texts; empty where the row is older than the column.
  std::string committed_at;  // RFC 3339 in UTC, with microseconds.
  std::string repeated_at;   // As committed_at; empty where it did not come again.
  std::int64_t attempts = 0;
  std::int64_t repeats = 0;
};

// Rows are shown the newest first, and of those of one time the greatest UUID first. After a place
// come the rows that are less than it as (time, UUID).
struct JournalPlace {
  std::chrono::sys_time<std::chrono::microseconds> at;
  std::string uuid;
};

// The rows after `before`, down to those of the time `from` and with them. Times are of the years
// 1970 to 2200.
struct JournalWindow {
  std::chrono::sys_time<std::chrono::microseconds> from;
  JournalPlace before;
};

// Which rows are looked for: those that pass all of it. An empty text is any.
struct JournalFilter {
  std::string uuid;
  std::string key;  // One of its lock keys, whole.
  std::string type;
  std::string outcome;
};

// What a worker says about itself with each batch.
struct WorkerRow {
  std::string id;  // A UUID.
  std::int64_t confirmed = 0;
  bool bounds_unconfirmed = false;  // No batch after `confirmed` was committed before now.
  std::string host;
  std::int64_t pid = 0;
};

// A worker whose row nobody has touched for a while, and the claim on it.
struct SilentWorker {
  std::string id;
  std::int64_t confirmed = 0;
  std::string seen_at;  // In the database's own form, and meant for it alone.
};

// Statements on one session; not thread-safe. What it throws is the session's.
class JournalTable {
 public:
  virtual ~JournalTable() = default;

  // Throws StoreError where the tables are missing or cannot be read.
  virtual void Check() = 0;

  // Outside a transaction: asks for those of `uuids` that are there, without waiting. Answer(), the
  // next call or none, returns them in any order.
  virtual void Ask(std::span<const std::string> uuids) = 0;
  virtual std::vector<JournalRow> Answer() = 0;

  // Adds the rows in their order to the current transaction, without waiting. A row that is there
  // already fails the transaction with an error that IsRepeat tells.
  virtual void Insert(std::span<const NewJournalRow> rows, const std::string& worker,
                      std::int64_t batch) = 0;
  virtual bool IsRepeat(const StoreError& error) const = 0;

  // Outside a transaction: each of `uuids` has come once more than its row says. One that has no
  // row is none.
  virtual void NoteRepeats(std::span<const std::string> uuids) = 0;

  // Writes the worker's row, in the current transaction (then without waiting) or on its own.
  virtual void NoteProgress(const WorkerRow& worker, bool in_transaction) = 0;

  // Claims one worker that was not seen for `silence`, for another `silence`. Of two sessions that
  // claim at the same time, one gets it. Empty when there is none.
  virtual std::optional<SilentWorker> ClaimSilentWorker(std::chrono::milliseconds silence) = 0;

  // The next rows of `worker` after `confirmed` that have events, in the order of their UUIDs, from
  // `after_uuid` on. The time only narrows the search: a clock may be set back by a minute.
  virtual std::vector<JournalRow> Unconfirmed(const SilentWorker& worker,
                                              const std::string& after_uuid,
                                              std::int64_t limit) = 0;

  // Unless its row was touched since the claim.
  virtual void RemoveSilentWorker(const SilentWorker& worker) = 0;
  virtual void RemoveWorker(const std::string& id) = 0;

  // Removes up to `limit` rows older than `keep`, the oldest first; how many it removed.
  virtual std::int64_t Prune(std::chrono::milliseconds keep, std::int64_t limit) = 0;

  // About how many rows there are, and how old the oldest is (zero when there is none).
  struct Extent {
    std::int64_t rows = 0;
    std::chrono::milliseconds oldest{0};
  };
  virtual Extent Measure() = 0;

  // Outside a transaction: up to `limit` rows of the window that pass the filter, in their order.
  // Where few pass it, that may be to look at each row of the window.
  virtual std::vector<JournalRecord> Search(const JournalFilter& filter,
                                            const JournalWindow& window, std::int64_t limit) = 0;

  // Removes those of `uuids` whose row has the outcome "rejected", all at once, and returns them in
  // any order.
  virtual std::vector<std::string> RemoveRejected(std::span<const std::string> uuids) = 0;
};

}  // namespace iq
