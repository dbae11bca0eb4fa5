// Looks through the journal for what a person asks, the newest rows first, and for no longer than a
// person waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/store/journal_table.h"

namespace iq {

// What is looked for: rows that pass all of it. An empty text is any.
struct JournalSearch {
  using Time = std::chrono::sys_time<std::chrono::microseconds>;

  std::string id{};   // As the producer gave it, or the row's UUID.
  std::string key{};  // One of its lock keys, whole: "user:2".
  std::string type{};
  std::string outcome{};                 // "done" or "rejected".
  std::optional<Time> since{};           // Committed then or later.
  std::optional<Time> until{};           // Committed before that.
  std::optional<JournalPlace> before{};  // `next` of the search that this one goes on with.
  std::int64_t limit = 50;               // At least 1.
};

struct JournalFound {
  std::vector<JournalRecord> records;  // The newest first.
  std::optional<JournalPlace> next;    // Where to go on; nothing where there is nothing more.
  // Set where the search ended for its own time before it had `limit` rows: everything down to here
  // was looked at.
  std::optional<JournalSearch::Time> searched_to;
};

// On a session that is in no transaction; not thread-safe. What it throws is the session's.
class JournalReader {
 public:
  // No further stretch of the journal is begun when `patience` is over. A statement that fails at
  // the session's own limit ends a search likewise, unless it is the first.
  explicit JournalReader(JournalTable& table,
                         std::chrono::milliseconds patience = std::chrono::seconds(1))
      : table_(table), patience_(patience) {}

  // Looks at stretches of time that double as it goes back: neither is much read in vain where rows
  // are many, nor much asked where they are few.
  JournalFound Search(const JournalSearch& search);

  // The row of a command: `id` as in JournalSearch.
  std::optional<JournalRecord> Read(const std::string& id);

 private:
  JournalTable& table_;
  std::chrono::milliseconds patience_;
};

// A place as a text for a URL, "2026-01-31T12:00:00.000000Z_UUID", and back; nothing where `text`
// is none.
std::string CursorOf(const JournalPlace& place);
std::optional<JournalPlace> ReadCursor(std::string_view text);

}  // namespace iq
