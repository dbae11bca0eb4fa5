#include "tests/support/sqlite_file.h"

#include <sqlite3.h>

#include <utility>

namespace iq::test {
namespace {

constexpr int kPatienceMs = 20'000;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

[[noreturn]] void Throw(sqlite3* connection, const std::string& what) {
  throw DatabaseError(std::to_string(sqlite3_extended_errcode(connection)),
                      what + ": " + sqlite3_errmsg(connection));
}

void Bind(sqlite3_stmt* statement, const Database::Parameters& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string name = "$" + std::to_string(i + 1);
    const int index = sqlite3_bind_parameter_index(statement, name.c_str());
    if (index == 0) throw DatabaseError("", "no parameter " + name);
    if (const auto& text = parameters[i]) {
      sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8);
    }
  }
}

std::string Cell(sqlite3_stmt* statement, int column) {
  if (sqlite3_column_type(statement, column) == SQLITE_NULL) return "NULL";
  const void* bytes = sqlite3_column_blob(statement, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), size);
}

}  // namespace

void SqliteFile::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

SqliteFile::SqliteFile(std::string path) : path_(std::move(path)) {}

sqlite3* SqliteFile::Connected() {
  if (connection_ == nullptr) {
    sqlite3* connection = nullptr;
    const int code = sqlite3_open_v2(path_.c_str(), &connection,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<sqlite3, Close> owner(connection);
    if (code != SQLITE_OK) Throw(connection, path_);
    sqlite3_busy_timeout(connection, kPatienceMs);
    connection_ = std::move(owner);
  }
  return connection_.get();
}

std::vector<Database::Row> SqliteFile::Rows(const std::string& sql,
                                            const Database::Parameters& parameters) {
  sqlite3* connection = Connected();
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(connection, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    Throw(connection, sql);
  }
  const Statement statement(raw);
  Bind(raw, parameters);
  std::vector<Database::Row> rows;
  int code = sqlite3_step(raw);
  for (; code == SQLITE_ROW; code = sqlite3_step(raw)) {
    Database::Row& cells = rows.emplace_back();
    const int columns = sqlite3_column_count(raw);
    cells.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) cells.push_back(Cell(raw, column));
  }
  if (code != SQLITE_DONE) Throw(connection, sql);
  return rows;
}

void SqliteFile::Exec(const std::string& sql) {
  sqlite3* connection = Connected();
  if (sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    Throw(connection, sql);
  }
}

}  // namespace iq::test
