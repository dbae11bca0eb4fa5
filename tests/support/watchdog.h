// Cleans up after a test program that dies: a small process that waits for our end.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace iq::test {

// Runs `command` (a program and its arguments, found in PATH) once this process is gone without
// having destroyed the Watchdog, whatever killed it. The command runs in a session of its own.
class Watchdog {
 public:
  // Throws std::system_error when the process cannot be started.
  explicit Watchdog(const std::vector<std::string>& command);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();  // Says goodbye: the command is not run.

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
};

}  // namespace iq::test
