#include "tests/support/database.h"

#include <libpq-fe.h>

#include <utility>

namespace iq::test {
namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Clear>;

// Passes on what is a success, throws what is not.
Result Checked(PGconn* connection, PGresult* raw) {
  Result result(raw);
  const ExecStatusType status = PQresultStatus(raw);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    const char* code = PQresultErrorField(raw, PG_DIAG_SQLSTATE);
    throw DatabaseError(code == nullptr ? "" : code, PQerrorMessage(connection));
  }
  return result;
}

}  // namespace

void Database::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

Database::Database(std::string url) : url_(std::move(url)) {}

pg_conn* Database::Connected() {
  if (connection_ == nullptr || PQstatus(connection_.get()) != CONNECTION_OK) {
    connection_.reset(PQconnectdb(url_.c_str()));
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      throw DatabaseError("", PQerrorMessage(connection_.get()));
    }
    // Notices of tests' own CREATE … IF NOT EXISTS are noise.
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
  }
  return connection_.get();
}

std::vector<Database::Row> Database::Rows(const std::string& sql, const Parameters& parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? parameter->c_str() : nullptr);
  }
  PGconn* connection = Connected();
  const Result result =
      Checked(connection, PQexecParams(connection, sql.c_str(), static_cast<int>(values.size()),
                                       nullptr, values.data(), nullptr, nullptr, 0));
  std::vector<Row> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    Row& cells = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      cells.emplace_back(PQgetisnull(result.get(), row, column) != 0
                             ? "NULL"
                             : PQgetvalue(result.get(), row, column));
    }
  }
  return rows;
}

std::string Database::Value(const std::string& sql, const Parameters& parameters) {
  std::vector<Row> rows = Rows(sql, parameters);
  if (rows.size() != 1 || rows.front().size() != 1) {
    throw DatabaseError("", "not one row with one column: " + sql);
  }
  return std::move(rows.front().front());
}

void Database::Exec(const std::string& sql) {
  PGconn* connection = Connected();
  Checked(connection, PQexec(connection, sql.c_str()));
}

}  // namespace iq::test
