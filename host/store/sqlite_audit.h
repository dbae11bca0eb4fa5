// The audit's statements for SQLite: iq_audit.
#pragma once

#include "host/store/audit_table.h"
#include "host/store/store.h"

namespace iq {

class SqliteAudit final : public AuditTable {
 public:
  explicit SqliteAudit(Session& session) : session_(session) {}

  std::int64_t Begin(const NewAct& act) override;
  void End(std::int64_t id, const std::string& state, const std::string& result) override;
  std::vector<AuditRow> List(std::optional<std::int64_t> before_id, std::int64_t limit) override;
  std::vector<AuditRow> About(const std::string& message_id, std::int64_t limit) override;

 private:
  Session& session_;
};

}  // namespace iq
