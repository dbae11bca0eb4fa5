#include "host/store/sqlite_session.h"

#include <fmt/format.h>

#include <cassert>
#include <filesystem>
#include <system_error>
#include <utility>

#include "host/store/sqlite_error.h"

namespace iq {

SqliteSession::SqliteSession(std::string name, std::string path,
                             std::chrono::milliseconds statement_max)
    : name_(std::move(name)),
      path_(std::move(path)),
      statement_max_(statement_max),
      outage_(name_) {}

template <typename Work>
auto SqliteSession::OnFile(Work work) {
  try {
    return work();
  } catch (const StoreError& failure) {
    Fail(failure);
  } catch (const Unavailable& away) {
    Lose(away.what());
  }
}

void SqliteSession::Begin() {
  assert(phase_ == Phase::kIdle || phase_ == Phase::kLost);
  phase_ = Phase::kIdle;
  failure_.reset();
  writes_ = 0;
  RequireConnection();
  OnFile([this] { connection_->Begin(); });
  phase_ = Phase::kOpen;
}

Rows SqliteSession::Query(std::string_view sql, std::span<const iq_value> args) {
  RequireUsable();
  ThrowFailure();
  return OnFile([&] {
    SqliteConnection::Answer answer = connection_->Run(sql, args);
    if (answer.changed) ++writes_;
    // A file that can be read may still be one that cannot be written.
    if (phase_ == Phase::kIdle && !answer.read_only) outage_.Ended();
    return std::move(answer.rows);
  });
}

// What follows a failed statement is skipped, as a server skips it.
void SqliteSession::Execute(std::string_view sql, std::span<const iq_value> args) {
  assert(phase_ != Phase::kIdle);
  RequireUsable();
  if (failure_) return;
  try {
    if (connection_->Run(sql, args).changed) ++writes_;
  } catch (const StoreError& failure) {
    failure_ = failure;
  } catch (const Unavailable& away) {
    Lose(away.what());
  }
}

void SqliteSession::SetDeadline(std::chrono::steady_clock::time_point deadline) {
  deadline_ = deadline;
  if (connection_) connection_->SetDeadline(deadline);
}

void SqliteSession::Commit() {
  assert(phase_ != Phase::kIdle);
  if (phase_ == Phase::kLost) {
    phase_ = Phase::kIdle;
    ThrowUnavailable();
  }
  if (failure_) RollBackAndThrow(*failure_);
  try {
    connection_->Commit();
  } catch (const StoreError& failure) {
    RollBackAndThrow(failure);
  } catch (const CommitUnknown& unknown) {
    phase_ = Phase::kIdle;
    Disconnect(unknown.what());
    throw;
  } catch (const Unavailable& away) {
    phase_ = Phase::kIdle;
    Lose(away.what());
  }
  phase_ = Phase::kIdle;
  outage_.Ended();
}

void SqliteSession::RollBackAndThrow(StoreError failure) {
  Rollback();
  throw failure;
}

void SqliteSession::Rollback() noexcept {
  phase_ = Phase::kIdle;
  failure_.reset();
  if (!connection_) return;
  connection_->Rollback();
  // A connection that cannot end its transaction ends it by closing.
  if (connection_->InTransaction()) Disconnect("ROLLBACK had no effect");
}

// A failure that was not shown yet has not broken the transaction yet, as far as the caller knows.
bool SqliteSession::InTransaction() const {
  if (phase_ != Phase::kOpen || !connection_) return false;
  return failure_ || connection_->InTransaction();
}

std::chrono::milliseconds SqliteSession::UntilNextAttempt() const {
  return connection_ ? std::chrono::milliseconds{0} : outage_.UntilNextAttempt();
}

std::uint64_t SqliteSession::RunScript(std::string_view sql) {
  if (phase_ == Phase::kIdle) {
    Begin();
    try {
      const std::uint64_t rows_changed = RunScript(sql);
      Commit();
      return rows_changed;
    } catch (...) {  // Whatever it was, the caller has no transaction.
      Rollback();
      throw;
    }
  }
  RequireUsable();
  ThrowFailure();
  ++writes_;
  return OnFile([&] { return connection_->RunScript(sql); });
}

ServerFacts SqliteSession::Facts() {
  RequireUsable();
  return OnFile([this] { return connection_->Facts(); });
}

// Throws unless a statement may run now; connects where there is no transaction.
void SqliteSession::RequireUsable() {
  switch (phase_) {
    case Phase::kIdle:
      RequireConnection();
      return;
    case Phase::kOpen:
      return;
    case Phase::kFailed:
      throw StoreError(*failure_);
    case Phase::kLost:
      ThrowUnavailable();
  }
}

void SqliteSession::RequireConnection() {
  if (connection_) {
    if (connection_->FileMoved()) Lose("it was moved or removed; put it back");
    return;
  }
  if (outage_.UntilNextAttempt() > std::chrono::milliseconds{0}) ThrowUnavailable();
  std::error_code ignored;
  if (was_open_ && !std::filesystem::exists(path_, ignored)) Lose("it is gone; put it back");
  OnFile([this] { connection_.emplace(path_, statement_max_); });
  connection_->SetDeadline(deadline_);
  was_open_ = true;
}

void SqliteSession::ThrowFailure() {
  if (failure_) Fail(StoreError(*failure_));
}

void SqliteSession::Fail(const StoreError& failure) {
  if (phase_ == Phase::kOpen) {
    phase_ = Phase::kFailed;
    failure_ = failure;
  }
  throw StoreError(failure);
}

void SqliteSession::Lose(const std::string& reason) {
  if (phase_ != Phase::kIdle) phase_ = Phase::kLost;
  Disconnect(reason);
  ThrowUnavailable();
}

void SqliteSession::ThrowUnavailable() const {
  throw Unavailable(fmt::format("{} is unavailable: {}", name_, outage_reason_));
}

// The connection's reasons begin with the file's name, which stands in front of them here anyway.
void SqliteSession::Disconnect(std::string reason) {
  const std::string prefix = name_ + ": ";
  if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
  connection_.reset();
  outage_reason_ = std::move(reason);
  outage_.Failed(outage_reason_);
}

}  // namespace iq
