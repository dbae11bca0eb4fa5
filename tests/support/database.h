// A look into the database for tests, independent of the host's own client.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;

namespace iq::test {

class DatabaseError : public std::runtime_error {
 public:
  DatabaseError(std::string code, const std::string& what)
      : std::runtime_error(what), code_(std::move(code)) {}

  const std::string& code() const { return code_; }  // SQLSTATE; empty when the connection failed.

 private:
  std::string code_;
};

// One connection, made on first use and again after a loss. Every statement is a transaction of its
// own unless BEGIN is sent. Throws DatabaseError. Not thread-safe.
class Database {
 public:
  using Row = std::vector<std::string>;  // The server's text form; NULL reads as "NULL".
  using Parameters = std::vector<std::optional<std::string>>;  // nullopt is NULL.

  explicit Database(std::string url);

  // One statement with $1, $2, …
  std::vector<Row> Rows(const std::string& sql, const Parameters& parameters = {});

  // The only column of the only row; anything else throws.
  std::string Value(const std::string& sql, const Parameters& parameters = {});

  // One or more statements, no parameters, no result.
  void Exec(const std::string& sql);

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };

  pg_conn* Connected();

  std::string url_;
  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace iq::test
