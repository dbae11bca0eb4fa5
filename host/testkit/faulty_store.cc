#include "host/testkit/faulty_store.h"

#include <algorithm>
#include <utility>

namespace iq {
namespace {

// SQLSTATE, as the servers' documentation lists them.
std::string CodeOf(StoreError::Kind kind) {
  switch (kind) {
    case StoreError::Kind::kConflict:
      return "40001";
    case StoreError::Kind::kDuplicate:
      return "23505";
    case StoreError::Kind::kDeadline:
      return "57014";
    case StoreError::Kind::kStatement:
      break;
  }
  return "XX000";
}

class FaultySession final : public Session {
 public:
  FaultySession(std::unique_ptr<Session> session, SqlFaults& faults)
      : session_(std::move(session)), faults_(faults) {}

  void Begin() override {
    failure_.reset();
    session_->Begin();
  }

  Rows Query(std::string_view sql, std::span<const iq_value> args) override {
    ThrowFailure();
    failure_ = faults_.Take(sql);
    ThrowFailure();
    return session_->Query(sql, args);
  }

  void Execute(std::string_view sql, std::span<const iq_value> args) override {
    if (!failure_) failure_ = faults_.Take(sql);
    if (!failure_) session_->Execute(sql, args);
  }

  void SetDeadline(std::chrono::steady_clock::time_point deadline) override {
    session_->SetDeadline(deadline);
  }

  void Commit() override {
    if (failure_) {
      session_->Rollback();
      throw StoreError(*std::exchange(failure_, std::nullopt));
    }
    session_->Commit();
  }

  void Rollback() noexcept override {
    failure_.reset();
    session_->Rollback();
  }

  std::uint64_t writes() const override { return session_->writes(); }
  bool InTransaction() const override { return session_->InTransaction(); }
  std::chrono::milliseconds UntilNextAttempt() const override {
    return session_->UntilNextAttempt();
  }
  std::uint64_t RunScript(std::string_view sql) override { return session_->RunScript(sql); }
  ServerFacts Facts() override { return session_->Facts(); }
  JournalTable& journal() override { return session_->journal(); }
  MigrationTable& migrations() override { return session_->migrations(); }
  AuditTable& audit() override { return session_->audit(); }

 private:
  void ThrowFailure() const {
    if (failure_) throw StoreError(*failure_);
  }

  std::unique_ptr<Session> session_;
  SqlFaults& faults_;
  std::optional<StoreError> failure_;  // Of the open transaction.
};

class FaultyStore final : public Store {
 public:
  FaultyStore(std::unique_ptr<Store> store, SqlFaults& faults)
      : store_(std::move(store)), faults_(faults) {}

  std::string name() const override { return store_->name(); }
  std::unique_ptr<Session> Open(std::chrono::milliseconds statement_max) override {
    return std::make_unique<FaultySession>(store_->Open(statement_max), faults_);
  }
  bool takes_arrays() const override { return store_->takes_arrays(); }
  std::string_view dialect() const override { return store_->dialect(); }

 private:
  std::unique_ptr<Store> store_;
  SqlFaults& faults_;
};

}  // namespace

void SqlFaults::Add(std::string text, StoreError::Kind kind, int times) {
  const std::lock_guard lock(mutex_);
  faults_.push_back({std::move(text), kind, times});
}

std::optional<StoreError> SqlFaults::Take(std::string_view sql) {
  const std::lock_guard lock(mutex_);
  const auto due = std::find_if(faults_.begin(), faults_.end(), [&](const Fault& fault) {
    return sql.find(fault.text) != std::string_view::npos;
  });
  if (due == faults_.end()) return std::nullopt;
  StoreError failure(due->kind, CodeOf(due->kind), {}, "the test wants this statement to fail");
  if (--due->times <= 0) faults_.erase(due);
  return failure;
}

std::unique_ptr<Store> MakeFaulty(std::unique_ptr<Store> store, SqlFaults& faults) {
  return std::make_unique<FaultyStore>(std::move(store), faults);
}

}  // namespace iq
