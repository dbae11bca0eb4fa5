// Child processes of a test: started, signalled, awaited, and never left behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/watchdog.h"

namespace iq::test {

// How a process ended. Exactly one of the two is set.
struct ExitStatus {
  std::optional<int> code{};
  std::optional<int> signal{};

  bool operator==(const ExitStatus&) const = default;
};

struct ProcessOptions {
  // Added to this process's environment; a name that is there already is replaced.
  std::vector<std::pair<std::string, std::string>> environment{};
  std::vector<std::string> without_environment{};  // Names to leave out.
  std::string stdout_file{};                       // Appended to. Empty: this process's own.
  std::string stderr_file{};  // Likewise; may be the same file. Standard input is /dev/null.
  std::string directory{};    // Empty: this process's own.
};

// A child in a session of its own. The destructor, and the death of the test program, SIGKILL all
// of that session. Not thread-safe.
class Process {
 public:
  // `argv[0]` is looked up in PATH. Throws std::system_error when it cannot be started.
  explicit Process(std::vector<std::string> argv, ProcessOptions options = {});
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  bool running();

  // Sends `signal` to the child alone. Nothing happens when it has ended.
  void Signal(int signal);

  // SIGKILL to all of the session; returns when the child is gone.
  void Kill9();

  // Waits at most `deadline` for the end; nullopt when the child still runs then. May be repeated.
  std::optional<ExitStatus> Wait(std::chrono::milliseconds deadline);

 private:
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  std::optional<ExitStatus> exit_;
  std::unique_ptr<Watchdog> watchdog_;
};

// The whole of a file; empty when there is none, or it goes away meanwhile, as those in /proc do.
std::string ReadFile(const std::string& path);

}  // namespace iq::test
