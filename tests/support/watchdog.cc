#include "tests/support/watchdog.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace iq::test {
namespace {

// A line means goodbye; end of file means that the writer died.
constexpr const char* kScript = R"(read -r goodbye || exec "$@")";

}  // namespace

Watchdog::Watchdog(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  pipe_ = ends[1];
  std::vector<std::string> text = {"sh", "-c", kScript, "watchdog"};
  text.insert(text.end(), command.begin(), command.end());
  std::vector<char*> argv;
  argv.reserve(text.size() + 1);
  for (std::string& word : text) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files{};
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[0], STDIN_FILENO);
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  const int error = posix_spawnp(&pid_, "sh", &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  close(ends[0]);
  if (error != 0) {
    close(pipe_);
    throw std::system_error(error, std::generic_category(), "posix_spawnp");
  }
}

Watchdog::~Watchdog() {
  // A watchdog that somebody killed must not take us along with SIGPIPE.
  sigset_t pipe_signal{};
  sigset_t before{};
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  if (write(pipe_, "\n", 1) < 0) {
    const timespec now{};
    sigtimedwait(&pipe_signal, nullptr, &now);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  close(pipe_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace iq::test
