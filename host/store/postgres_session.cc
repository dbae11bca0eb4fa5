#include "host/store/postgres_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "host/store/changes.h"
#include "host/store/sqlstate.h"
#include "host/store/table_rows.h"

namespace iq {
namespace {

// Results are read after so many statements or bytes, so that neither side has to hold many.
constexpr std::size_t kUnreadStatementsMax = 64;
constexpr std::size_t kUnreadBytesMax = 1U << 20U;
// Beyond, statements are sent unprepared: their texts are evidently made up for each call.
constexpr std::size_t kPreparedMax = 1000;
// For one transaction. A question looks up rows by their key, through an index, whatever the values
// are. Left to itself, the server plans for each single value anew, or keeps the scan that was best
// while the table was small until it has analyzed the table again.
constexpr std::string_view kPlanForKeys =
    "SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true), "
    "pg_catalog.set_config('enable_seqscan', 'off', true)";
constexpr const char* kClosed = "the server closed the connection";

// ROLLBACK is also the tag of ROLLBACK TO SAVEPOINT.
bool EndsTransaction(std::string_view tag) {
  constexpr std::array<std::string_view, 3> kTags{"COMMIT", "ROLLBACK", "PREPARE TRANSACTION"};
  return std::find(kTags.begin(), kTags.end(), tag) != kTags.end();
}

std::size_t LineOf(std::string_view text, std::size_t position_characters) {
  std::size_t line = 1;
  std::size_t characters = 0;
  for (const char c : text) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;  // Within UTF-8.
    if (!continues && ++characters >= position_characters) break;
    if (c == '\n') ++line;
  }
  return line;
}

// The script's error, with the line where the server can tell it.
StoreError ScriptError(const Result& error, std::string_view script) {
  StoreError failure = ToStoreError(error);
  const std::size_t position = ErrorPosition(error);
  if (position == 0) return failure;
  return {failure.kind(), failure.code(), failure.constraint(),
          fmt::format("line {}: {}", LineOf(script, position), failure.what())};
}

StoreError EndedByStatement() {
  return {StoreError::Kind::kStatement, "2D000", "",
          "a statement ended the transaction before the host did"};
}

bool Succeeded(const Result& result) {
  const auto status = PQresultStatus(result.get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

}  // namespace

PostgresSession::PostgresSession(std::string name, std::string url,
                                 std::chrono::milliseconds statement_max)
    : name_(std::move(name)), url_(std::move(url)), statement_max_(statement_max), outage_(name_) {}

// The one place where a lost connection becomes the caller's Unavailable or CommitUnknown.
template <typename Work>
auto PostgresSession::OnConnection(Work work) {
  try {
    return work();
  } catch (const ConnectionLost& lost) {
    if (connection_ && connection_->cancelled()) FailAtDeadline(lost);
    Lose(lost);
  }
}

void PostgresSession::Begin() {
  assert(phase_ == Phase::kIdle || phase_ == Phase::kLost);
  phase_ = Phase::kIdle;
  DropAnswer();
  failure_.reset();
  ended_by_statement_ = false;
  committed_ = false;
  writes_ = 0;
  RequireConnection();
  OnConnection(
      [this] { SendControl("BEGIN ISOLATION LEVEL READ COMMITTED", Step::Kind::kControl); });
  phase_ = Phase::kOpen;
}

Rows PostgresSession::Query(std::string_view sql, std::span<const iq_value> args) {
  RequireUsable();
  return OnConnection([&] {
    SendStatement(sql, args);
    Result answer = Drain();
    ThrowFailure();
    if (phase_ == Phase::kIdle) outage_.Ended();
    if (MayHaveChanged(sql, RowsMet(answer))) ++writes_;
    return ToRows(std::move(answer));
  });
}

void PostgresSession::Execute(std::string_view sql, std::span<const iq_value> args) {
  assert(phase_ != Phase::kIdle);
  RequireUsable();
  OnConnection([&] {
    ++writes_;
    SendStatement(sql, args);
    if (unread_statements_ < kUnreadStatementsMax && unread_bytes_ < kUnreadBytesMax) return;
    Drain();
    ThrowFailure();
  });
}

void PostgresSession::Ask(std::string_view sql, std::span<const iq_value> args) {
  assert(phase_ == Phase::kIdle);
  RequireUsable();
  OnConnection([&] {
    SendStatement(kPlanForKeys, {});
    SendStatement(sql, args);
    Sync();
  });
}

Rows PostgresSession::Answer() {
  assert(phase_ == Phase::kIdle && !steps_.empty() && steps_.back().kind == Step::Kind::kSync);
  return OnConnection([&] {
    Result answer = ReadResults();
    ThrowFailure();
    outage_.Ended();
    return ToRows(std::move(answer));
  });
}

// Of a question that nobody came for the answer of, or of a statement that could not be sent whole.
void PostgresSession::DropAnswer() {
  if (steps_.empty()) return;
  OnConnection([this] {
    if (steps_.back().kind != Step::Kind::kSync) Sync();
    ReadResults();
  });
  failure_.reset();
}

void PostgresSession::SetDeadline(std::chrono::steady_clock::time_point deadline) {
  deadline_ = deadline;
  if (connection_) connection_->SetDeadline(deadline);
}

void PostgresSession::Commit() {
  assert(phase_ != Phase::kIdle);
  if (phase_ == Phase::kOpen && !InTransaction()) RollBackAndThrow(EndedByStatement());
  if (phase_ == Phase::kFailed) RollBackAndThrow(*failure_);
  if (phase_ == Phase::kLost) {
    phase_ = Phase::kIdle;
    ThrowUnavailable();
  }
  try {
    if (connection_->SeenClosed()) throw ConnectionLost(kClosed);
    commit_unknown_ = true;
    SendControl("COMMIT", Step::Kind::kCommit);
    Drain();
  } catch (const ConnectionLost& lost) {
    phase_ = Phase::kIdle;
    if (!committed_) Lose(lost);
    Disconnect(lost);  // The server had said COMMIT before it went away.
  }
  commit_unknown_ = false;
  FinishCommit();
}

void PostgresSession::FinishCommit() {
  if (failure_) RollBackAndThrow(*failure_);
  if (ended_by_statement_) RollBackAndThrow(EndedByStatement());
  if (!committed_) {
    RollBackAndThrow({StoreError::Kind::kStatement, "40000", "",
                      "the server rolled the transaction back instead of committing it"});
  }
  phase_ = Phase::kIdle;
  if (connection_) outage_.Ended();
  if (connection_ && connection_->cancelled()) DropConnection();
}

void PostgresSession::RollBackAndThrow(StoreError failure) {
  Rollback();
  throw failure;
}

void PostgresSession::Rollback() noexcept {
  const Phase phase = std::exchange(phase_, Phase::kIdle);
  commit_unknown_ = false;
  if (!connection_ || phase == Phase::kIdle) return;
  // A cancel that comes late would hit another's statement.
  if (connection_->cancelled()) {
    failure_.reset();
    DropConnection();
    return;
  }
  try {
    if (!steps_.empty()) {
      Sync();  // Otherwise an error before would have ROLLBACK skipped.
    }
    if (!steps_.empty() || connection_->state() != PQTRANS_IDLE) {
      SendControl("ROLLBACK", Step::Kind::kControl);
      Drain();
    }
    failure_.reset();
    if (connection_->state() != PQTRANS_IDLE) throw ConnectionLost("ROLLBACK had no effect");
  } catch (const std::exception& error) {
    // Without the connection there is no transaction either: the server rolls it back.
    failure_.reset();
    Disconnect(ConnectionLost(error.what()));
  }
}

bool PostgresSession::InTransaction() const {
  if (phase_ != Phase::kOpen || ended_by_statement_ || !connection_) return false;
  const auto state = connection_->state();
  return state == PQTRANS_ACTIVE || state == PQTRANS_INTRANS;
}

std::chrono::milliseconds PostgresSession::UntilNextAttempt() const {
  return connection_ ? std::chrono::milliseconds{0} : outage_.UntilNextAttempt();
}

std::uint64_t PostgresSession::RunScript(std::string_view sql) {
  RequireUsable();
  return OnConnection([&] {
    if (!steps_.empty()) {
      Drain();
      ThrowFailure();
    }
    const PGTransactionStatusType before = connection_->state();
    ++writes_;
    const auto [error, rows_changed] = connection_->RunScript(std::string(sql));
    if (error) {
      if (BlameOf(SqlState(error)) == Blame::kServer) throw ConnectionLost(PrimaryMessage(error));
      Fail(ScriptError(error, sql));
    }
    if (connection_->state() != before) ended_by_statement_ = true;
    if (phase_ == Phase::kIdle) outage_.Ended();
    return rows_changed;
  });
}

ServerFacts PostgresSession::Facts() {
  const auto setting = [this](std::string_view name) {
    return TextAt(Query(fmt::format("SELECT current_setting('{}')", name), {}), 0, 0);
  };
  ServerFacts facts{setting("server_version"), {}};
  for (const char* const name : {"fsync", "full_page_writes", "synchronous_commit"}) {
    const std::string value = setting(name);
    facts.durability.push_back(
        {name, value, value == "off" ? fmt::format("set {} = on in postgresql.conf", name) : ""});
  }
  return facts;
}

// Throws unless a statement may be sent now; connects where there is no transaction.
void PostgresSession::RequireUsable() {
  switch (phase_) {
    case Phase::kIdle:
      DropAnswer();
      failure_.reset();
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

void PostgresSession::RequireConnection() {
  if (connection_) {
    if (connection_->SeenClosed()) Lose(ConnectionLost(kClosed));
    return;
  }
  if (outage_.UntilNextAttempt() > std::chrono::milliseconds{0}) {
    ThrowUnavailable();
  }
  OnConnection([this] { connection_.emplace(url_, statement_max_); });
  connection_->SetDeadline(deadline_);
}

void PostgresSession::SendStatement(std::string_view sql, std::span<const iq_value> args) {
  try {
    if (sql.find('\0') != std::string_view::npos) {
      throw StoreError(StoreError::Kind::kStatement, "22021", "", "the statement has a NUL byte");
    }
    parameters_.Set(args);
    auto known = prepared_.find(sql);
    if (known == prepared_.end() && prepared_.size() < kPreparedMax) {
      const std::string name = fmt::format("iq_{}", ++prepared_count_);
      connection_->SendPrepare(name, std::string(sql));
      known = prepared_.emplace(std::string(sql), name).first;
      steps_.push_back({Step::Kind::kPrepare, &known->first});
    }
    if (known == prepared_.end()) {
      connection_->SendUnnamed(std::string(sql), parameters_);
      steps_.push_back({Step::Kind::kStatement});
    } else {
      connection_->SendPrepared(known->second, parameters_);
      steps_.push_back({Step::Kind::kStatement, &known->first});
    }
  } catch (const StoreError& refused) {
    Fail(refused);
  }
  ++unread_statements_;
  unread_bytes_ += parameters_.bytes();
}

void PostgresSession::SendControl(const std::string& sql, Step::Kind kind) {
  parameters_.Set({});
  try {
    connection_->SendUnnamed(sql, parameters_);
  } catch (const StoreError& refused) {
    throw ConnectionLost(refused.what());  // Nothing in the statement can be the cause.
  }
  steps_.push_back({kind});
}

void PostgresSession::Sync() {
  connection_->SendSync();
  steps_.push_back({Step::Kind::kSync});
}

// Ends the stretch and reads all that is pending.
Result PostgresSession::Drain() {
  Sync();
  return ReadResults();
}

// Returns the last statement's result; the first error is in failure_.
Result PostgresSession::ReadResults() {
  Result answer;
  while (!steps_.empty()) {
    const Step step = steps_.front();
    Result result = connection_->Next();
    if (!result) throw ConnectionLost("the server sent no result for a statement");
    steps_.pop_front();
    Note(step, std::move(result), answer);
    // libpq ends the results of each statement, but not a sync, with a null.
    while (step.kind != Step::Kind::kSync && connection_->Next()) {
    }
  }
  unread_statements_ = 0;
  unread_bytes_ = 0;
  return answer;
}

void PostgresSession::Note(const Step& step, Result result, Result& answer) {
  if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) NoteError(step, result);
  const bool succeeded = Succeeded(result);
  const std::string_view tag = CommandTag(result);
  switch (step.kind) {
    case Step::Kind::kCommit:
      committed_ = succeeded && tag == "COMMIT";
      return;
    case Step::Kind::kPrepare:
      if (!succeeded) Forget(step);
      return;
    case Step::Kind::kStatement:
      if (EndsTransaction(tag)) ended_by_statement_ = true;
      answer = std::move(result);
      return;
    case Step::Kind::kControl:
    case Step::Kind::kSync:
      return;
  }
}

void PostgresSession::NoteError(const Step& step, const Result& error) {
  const std::string_view code = SqlState(error);
  // An error rules out that the transaction was committed. The end of the session does not, not
  // even before COMMIT's own answer: a pooler whose server is gone answers so to whatever it has
  // not passed on an answer to.
  if (!EndsSession(error)) commit_unknown_ = false;
  if (BlameOf(code) == Blame::kServer || EndsSession(error)) {
    throw ConnectionLost(PrimaryMessage(error));
  }
  // The prepared statement is not there any more, or a table has changed under it: prepare it anew.
  const bool stale = code == "26000" || code == "0A000";
  if (stale && step.kind == Step::Kind::kStatement) Forget(step);
  if (!failure_) failure_ = ToStoreError(error);
}

void PostgresSession::Forget(const Step& step) {
  if (step.prepared == nullptr) return;
  const auto known = prepared_.find(*step.prepared);
  if (known != prepared_.end()) prepared_.erase(known);
}

void PostgresSession::ThrowFailure() {
  if (failure_) Fail(StoreError(*failure_));
}

void PostgresSession::Fail(StoreError failure) {
  if (phase_ == Phase::kOpen) {
    phase_ = Phase::kFailed;
    failure_ = failure;
  }
  throw failure;
}

// The server did not end the statement in time, nor when it was asked to. That is the statement's
// failure, or a command with such a one would come again and again without being counted.
void PostgresSession::FailAtDeadline(const ConnectionLost& lost) {
  Disconnect(lost);
  Fail({StoreError::Kind::kDeadline, "57014", "",
        "its time was up, and the server did not answer to a cancel either"});
}

void PostgresSession::Lose(const ConnectionLost& lost) {
  if (phase_ != Phase::kIdle) phase_ = Phase::kLost;
  const bool commit_unknown = std::exchange(commit_unknown_, false);
  Disconnect(lost);
  if (commit_unknown) {
    throw CommitUnknown(fmt::format("{} did not answer to COMMIT: {}", name_, lost.what()));
  }
  ThrowUnavailable();
}

void PostgresSession::ThrowUnavailable() const {
  throw Unavailable(fmt::format("{} is unavailable: {}", name_, outage_cause_.what()),
                    outage_cause_.mend());
}

void PostgresSession::Disconnect(const ConnectionLost& lost) {
  DropConnection();
  outage_cause_ = lost;
  outage_.Failed(lost.what(), lost.mend());
}

void PostgresSession::DropConnection() {
  connection_.reset();
  steps_.clear();
  prepared_.clear();
  unread_statements_ = 0;
  unread_bytes_ = 0;
}

}  // namespace iq
