#include "tests/integration/sqlite_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include "host/base/log.h"
#include "tests/support/eventually.h"

namespace iq {

pid_t ForkedProcess::Fork() { return fork(); }

void ForkedProcess::End(int status) { _exit(status); }

void ForkedProcess::Kill9() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  Join();
}

int ForkedProcess::Join() {
  int status = -1;
  waitpid(std::exchange(pid_, -1), &status, 0);
  return status;
}

Signal::Signal() {
  if (pipe(ends_) != 0) std::abort();
}

Signal::~Signal() {
  close(ends_[0]);
  close(ends_[1]);
}

void Signal::Give() const {
  if (write(ends_[1], "!", 1) != 1) std::abort();
}

void Signal::Await() const {
  char byte = 0;
  if (read(ends_[0], &byte, 1) != 1) std::abort();
}

Sqlite::Sqlite() {
  log::Start(log::Level::kError, log::Format::kText);
  std::string name = (std::filesystem::temp_directory_path() / "iq-sqlite-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  folder_ = name;
  file_ = folder_ / "iq.db";
  Open()->RunScript("CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT)");
}

Sqlite::~Sqlite() { std::filesystem::remove_all(folder_); }

std::unique_ptr<Session> Sqlite::Open(std::chrono::milliseconds statement_max) const {
  return OpenStore("sqlite:" + file_.string())->Open(statement_max);
}

std::int64_t Sqlite::CountItems() const { return Number(*Open(), "SELECT count(*) FROM item"); }

bool Sqlite::Recovers(Session& session) {
  return test::Eventually(std::chrono::seconds(15), [&session] {
    try {
      return Number(session, "SELECT 1") == 1;
    } catch (const Unavailable&) {
      return false;
    }
  });
}

}  // namespace iq
