// An SQLite file for the tests of the driver.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/store/store.h"
#include "tests/integration/store_words.h"

namespace iq {

// A forked process that carries out `work`, and ends with 0 unless that throws. It must be made
// while this process has no SQLite connection: none may pass a fork.
class ForkedProcess {
 public:
  template <typename Work>
  explicit ForkedProcess(Work work) : pid_(Fork()) {
    if (pid_ != 0) return;
    try {
      work();
      End(0);
    } catch (...) {
      End(1);
    }
  }
  ForkedProcess(const ForkedProcess&) = delete;
  ForkedProcess& operator=(const ForkedProcess&) = delete;
  ~ForkedProcess() { Kill9(); }

  void Kill9();
  // Its status; waits for its end.
  int Join();

 private:
  static pid_t Fork();
  [[noreturn]] static void End(int status);

  pid_t pid_;
};

// What forked processes tell each other: each Give lets one Await return.
class Signal {
 public:
  Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal();

  void Give() const;
  void Await() const;

 private:
  int ends_[2];
};

// Each test begins with an empty table item(id integer primary key, text text), in a directory of
// its own that holds nothing else.
class Sqlite : public testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kLong{20000};

  Sqlite();
  ~Sqlite() override;

  const std::filesystem::path& folder() const { return folder_; }
  const std::filesystem::path& file() const { return file_; }

  std::unique_ptr<Session> Open(std::chrono::milliseconds statement_max = kLong) const;

  // What `sql` gives.
  static Rows Ask(Session& session, std::string_view sql, const std::vector<iq_value>& args = {}) {
    return session.Query(sql, Args(args));
  }
  // Its only value, an integer.
  static std::int64_t Number(Session& session, std::string_view sql) {
    return Ask(session, sql).At(0, 0).u.i64;
  }
  static void Insert(Session& session, std::int64_t id, std::string_view text = "") {
    session.Execute("INSERT INTO item VALUES ($1, $2)", Args({Int(id), Text(text)}));
  }
  static StoreError ErrorOf(Session& session, std::string_view sql,
                            const std::vector<iq_value>& args = {}) {
    return Thrown<StoreError>([&] { Ask(session, sql, args); });
  }

  // How many rows another connection sees.
  std::int64_t CountItems() const;
  // Whether `session` answers within the time that an attempt may be put off.
  static bool Recovers(Session& session);

 private:
  std::filesystem::path folder_;
  std::filesystem::path file_;
};

}  // namespace iq
