// Who did what from the page, as a database holds it: the statements of one dialect each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace iq {

// An act that is about to begin. Texts are valid UTF-8 without NUL.
struct NewAct {
  std::string who;
  std::string action;  // "retry", "drop", "edit", "send", "seed" or "stop".
  std::string about;   // A message id; empty where the act is not about one.
  std::string detail;  // A JSON object. Without \u0000, which PostgreSQL does not take.
};

// An act and what came of it. An empty text stands for NULL where that may be.
struct AuditRow {
  std::int64_t id = 0;
  std::string at;  // As ended_at: RFC 3339 in UTC, with microseconds.
  std::string who;
  std::string action;
  std::string about;
  std::string detail;
  std::string state;  // "begun", "done", "failed" or "stopped".
  std::string result;
  std::string ended_at;
};

// Statements on one session, outside a transaction; not thread-safe. What it throws is the
// session's.
class AuditTable {
 public:
  virtual ~AuditTable() = default;

  // Notes the act as begun, and returns its id when that is committed.
  virtual std::int64_t Begin(const NewAct& act) = 0;

  // What came of it; `state` is one of AuditRow's but "begun". An act that has ended stays as it
  // is.
  virtual void End(std::int64_t id, const std::string& state, const std::string& result) = 0;

  // Up to `limit` acts, the newest first: of all, or of those before the one with `before_id`.
  virtual std::vector<AuditRow> List(std::optional<std::int64_t> before_id, std::int64_t limit) = 0;

  // The same of those about one message.
  virtual std::vector<AuditRow> About(const std::string& message_id, std::int64_t limit) = 0;
};

}  // namespace iq
