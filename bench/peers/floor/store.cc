#include "bench/peers/floor/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <stdexcept>
#include <string_view>

#include "bench/peers/floor/statements.h"

namespace iq::bench::floor {
namespace {

constexpr Oid kByteaOid = 17;
constexpr Oid kInt8Oid = 20;
constexpr Oid kTextOid = 25;
constexpr Oid kUuidOid = 2950;
constexpr Oid kJsonbOid = 3802;

// Plans are made once: they do not depend on the arrays, and planning costs as much as a hundred
// rows. Without sequential scans, because the tables may have been empty when they were made.
constexpr const char* kSettings =
    "SET synchronous_commit = on; SET plan_cache_mode = force_generic_plan; "
    "SET enable_seqscan = off; SET jit = off";

template <std::integral Integer>
void AppendBigEndian(std::string& out, Integer value) {
  for (int shift = 8 * (sizeof value - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>((value >> shift) & 0xFF);
  }
}

std::int64_t Int64At(const PGresult* result, int row, int column) {
  const char* bytes = PQgetvalue(result, row, column);
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> PerhapsInt64At(const PGresult* result, int row, int column) {
  if (PQgetisnull(result, row, column) != 0) return std::nullopt;
  return Int64At(result, row, column);
}

std::string TextAt(const PGresult* result, int row, int column) {
  return {PQgetvalue(result, row, column),
          static_cast<std::size_t>(PQgetlength(result, row, column))};
}

// A one-dimensional array in PostgreSQL's binary form.
class Array {
 public:
  Array(Oid type, std::size_t size) {
    constexpr std::int32_t kDimensions = 1;
    constexpr std::int32_t kMayHoldNull = 1;
    constexpr std::int32_t kLowerBound = 1;
    AppendBigEndian(bytes_, kDimensions);
    AppendBigEndian(bytes_, kMayHoldNull);
    AppendBigEndian(bytes_, type);
    AppendBigEndian(bytes_, static_cast<std::int32_t>(size));
    AppendBigEndian(bytes_, kLowerBound);
  }

  void Add(std::int64_t value) {
    AppendBigEndian(bytes_, std::int32_t{sizeof value});
    AppendBigEndian(bytes_, value);
  }
  void Add(std::string_view bytes) {
    AppendBigEndian(bytes_, static_cast<std::int32_t>(bytes.size()));
    bytes_ += bytes;
  }
  template <std::size_t size>
  void Add(const std::array<unsigned char, size>& bytes) {
    Add(std::string_view(reinterpret_cast<const char*>(bytes.data()), size));
  }
  void AddUnlessEmpty(std::string_view text) {
    if (text.empty()) {
      AppendBigEndian(bytes_, std::int32_t{-1});
    } else {
      Add(text);
    }
  }

  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// One column of the commands.
template <typename Commands, typename Value>
std::string Column(Oid type, const Commands& commands, Value value) {
  Array array(type, commands.size());
  for (const Command* command : commands) array.Add(value(*command));
  return array.Take();
}

template <typename Commands, typename Value>
std::string OptionalColumn(const Commands& commands, Value value) {
  Array array(kTextOid, commands.size());
  for (const Command* command : commands) array.AddUnlessEmpty(value(*command));
  return array.Take();
}

std::string Jsonb(const Verdict& verdict) {
  std::string text = "\x01[";  // The version of the binary form.
  for (const Event& event : verdict.events) {
    if (&event != &verdict.events.front()) text += ',';
    text += event.body;
  }
  return text + ']';
}

// The text form of an array of texts.
std::string AsArray(const std::vector<std::string>& texts) {
  std::string array = "{";
  for (const std::string& text : texts) {
    if (array.size() > 1) array += ',';
    array += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array + '}';
}

std::string StatementName(Kind kind) {
  return fmt::format("effect_{}", static_cast<std::size_t>(kind));
}

}  // namespace

Store::Store(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
  PGconn* const connection = connection_.get();
  const auto require = [&](PGresult* answer) {
    const Result result(answer);
    if (PQresultStatus(answer) != PGRES_COMMAND_OK) Fail(result);
  };
  require(PQexec(connection, kSettings));
  for (std::size_t i = 0; i < kKinds; ++i) {
    const std::string name = StatementName(static_cast<Kind>(i));
    require(PQprepare(connection, name.c_str(), kStatements.at(i), 0, nullptr));
  }
  require(PQprepare(connection, "recall", kRecall, 0, nullptr));
  require(PQprepare(connection, "record", kRecord, 0, nullptr));
  if (PQenterPipelineMode(connection) != 1) Fail(nullptr);
}

void Store::SendRecall(std::span<Command* const> commands) {
  Send("recall",
       std::array{Column(kUuidOid, commands, [](const Command& each) { return each.uuid; })});
  Sync();
}

std::map<Uuid, Recalled> Store::ReadRecall() {
  std::map<Uuid, Recalled> found;
  const Result result = Read();
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    const std::string id = TextAt(result.get(), row, 0);
    Uuid uuid{};
    std::copy_n(id.begin(), uuid.size(), uuid.begin());
    const bool done = TextAt(result.get(), row, 1) == "done";
    found[uuid] = {{done ? Outcome::kDone : Outcome::kRejected, TextAt(result.get(), row, 2),
                    TextAt(result.get(), row, 3), ReadEvents(TextAt(result.get(), row, 4))},
                   TextAt(result.get(), row, 5)};
  }
  ReadSync();
  return found;
}

void Store::SendEffects(std::span<const Group> groups) {
  SendText("BEGIN");
  for (const auto& [kind, commands] : groups) {
    std::vector<std::string> parameters{
        Column(kInt8Oid, commands, [](const Command& each) { return each.user; }),
        Column(kInt8Oid, commands, [](const Command& each) { return each.sum; })};
    if (kind == Kind::kTransfer) {
      parameters.push_back(
          Column(kInt8Oid, commands, [](const Command& each) { return each.payer; }));
    } else if (kind != Kind::kIncome && kind != Kind::kWithdraw) {
      parameters.push_back(Column(kTextOid, commands,
                                  [](const Command& each) { return std::string_view(each.hold); }));
    }
    Send(StatementName(kind).c_str(), parameters);
  }
  Sync();
}

std::vector<std::vector<Effect>> Store::ReadEffects(std::span<const Group> groups) {
  Read();
  std::vector<std::vector<Effect>> effects;
  for (const Group& group : groups) {
    auto& of_group = effects.emplace_back(group.commands.size());
    const Result result = Read();
    const PGresult* const rows = result.get();
    if (static_cast<std::size_t>(PQntuples(rows)) != group.commands.size()) {
      throw std::runtime_error("a balance changed under its lock");
    }
    for (int row = 0; row < PQntuples(rows); ++row) {
      of_group.at(static_cast<std::size_t>(Int64At(rows, row, 0))) = {
          *PQgetvalue(rows, row, 1) != 0, PerhapsInt64At(rows, row, 2),
          PerhapsInt64At(rows, row, 3), PerhapsInt64At(rows, row, 4), PerhapsInt64At(rows, row, 5)};
    }
  }
  ReadSync();
  return effects;
}

void Store::SendCommit(std::span<Command* const> commands) {
  // Sorted, so that two processes that record the same ids wait for each other in one direction
  // only, and so that neighbours in the index come one after the other.
  std::vector<Command*> lines(commands.begin(), commands.end());
  std::sort(lines.begin(), lines.end(),
            [](const Command* a, const Command* b) { return a->uuid < b->uuid; });
  using Text = std::string_view;
  const auto outcome = [](const Command& each) {
    return Text(each.verdict->outcome == Outcome::kDone ? "done" : "rejected");
  };
  std::string batch;
  AppendBigEndian(batch, ++batch_);
  Send("record",
       std::array{
           Column(kUuidOid, lines, [](const Command& each) { return each.uuid; }),
           Column(kTextOid, lines, [](const Command& each) { return Text(each.id); }),
           Column(kTextOid, lines, [](const Command& each) { return Text(each.type); }),
           Column(kTextOid, lines, outcome),
           OptionalColumn(lines, [](const Command& each) { return Text(each.verdict->code); }),
           OptionalColumn(lines, [](const Command& each) { return Text(each.verdict->reason); }),
           Column(kJsonbOid, lines, [](const Command& each) { return Jsonb(*each.verdict); }),
           Column(kByteaOid, lines, [](const Command& each) { return each.payload_hash; }),
           OptionalColumn(lines, [](const Command& each) { return Text(each.correlation_id); }),
           OptionalColumn(lines, [](const Command& each) { return Text(each.traceparent); }),
           Column(kTextOid, lines, [](const Command& each) { return AsArray(each.keys); }),
           std::string(worker_.begin(), worker_.end()), batch});
  SendText("COMMIT");
  Sync();
}

// Only the tag COMMIT is a commit: a transaction that failed answers COMMIT with success as well.
bool Store::ReadCommit() {
  const Result recorded = ReadAny();
  const Result committed = ReadAny();
  ReadSync();
  if (PQresultStatus(recorded.get()) == PGRES_COMMAND_OK) {
    if (std::string_view(PQcmdStatus(committed.get())) != "COMMIT") Fail(committed);
    return true;
  }
  const char* const state = PQresultErrorField(recorded.get(), PG_DIAG_SQLSTATE);
  constexpr std::string_view kUniqueViolation = "23505";
  if (state == nullptr || state != kUniqueViolation) Fail(recorded);
  SendText("ROLLBACK");
  Sync();
  Read();
  ReadSync();
  return false;
}

void Store::Fail(const Result& result) const {
  const std::string reason = result ? PQresultErrorMessage(result.get()) : "";
  throw std::runtime_error(
      fmt::format("PostgreSQL: {}", reason.empty() ? PQerrorMessage(connection_.get()) : reason));
}

void Store::Send(const char* statement, std::span<const std::string> parameters) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const std::string& parameter : parameters) {
    values.push_back(parameter.data());
    lengths.push_back(static_cast<int>(parameter.size()));
  }
  const std::vector<int> formats(parameters.size(), 1);
  if (PQsendQueryPrepared(connection_.get(), statement, static_cast<int>(values.size()),
                          values.data(), lengths.data(), formats.data(), 1) != 1) {
    Fail(nullptr);
  }
}

void Store::SendText(const char* sql) {
  if (PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 1) != 1) {
    Fail(nullptr);
  }
}

void Store::Sync() {
  if (PQpipelineSync(connection_.get()) != 1) Fail(nullptr);
}

Store::Result Store::Read() {
  Result result = ReadAny();
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) Fail(result);
  return result;
}

// libpq ends the results of each statement with a null.
Store::Result Store::ReadAny() {
  Result result(PQgetResult(connection_.get()));
  if (!result) Fail(result);
  while (const Result rest{PQgetResult(connection_.get())}) {
  }
  return result;
}

void Store::ReadSync() {
  const Result result(PQgetResult(connection_.get()));
  if (PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC) Fail(result);
}

}  // namespace iq::bench::floor
