#include "host/cli/text_editor.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>

namespace iq::cli {
namespace {

// The variable may hold arguments as well.
constexpr const char* kScript =
    "chosen=${VISUAL:-$EDITOR}\n"
    "if [ -n \"$chosen\" ]; then eval \"$chosen \\\"\\$1\\\"\"\n"
    "elif command -v editor >/dev/null; then editor \"$1\"\n"
    "else vi \"$1\"; fi";

// Ctrl-C is the editor's while it runs.
class IgnoredSignals {
 public:
  IgnoredSignals()
      : interrupt_(std::signal(SIGINT, SIG_IGN)), quit_(std::signal(SIGQUIT, SIG_IGN)) {}
  IgnoredSignals(const IgnoredSignals&) = delete;
  IgnoredSignals& operator=(const IgnoredSignals&) = delete;
  ~IgnoredSignals() {
    std::signal(SIGINT, interrupt_);
    std::signal(SIGQUIT, quit_);
  }

 private:
  void (*interrupt_)(int);
  void (*quit_)(int);
};

void Check(int error) {
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start an editor");
}

// What this process ignores, the child would ignore too.
class ChildAttributes {
 public:
  ChildAttributes() {
    Check(posix_spawnattr_init(&attributes_));
    sigset_t usual;
    sigemptyset(&usual);
    for (const int signal : {SIGINT, SIGQUIT, SIGPIPE}) sigaddset(&usual, signal);
    posix_spawnattr_setsigdefault(&attributes_, &usual);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
  }
  ChildAttributes(const ChildAttributes&) = delete;
  ChildAttributes& operator=(const ChildAttributes&) = delete;
  ~ChildAttributes() { posix_spawnattr_destroy(&attributes_); }

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

int EditFile(const std::filesystem::path& file) {
  std::array<std::string, 5> words{"sh", "-c", kScript, "sh", file.string()};
  std::array<char*, 6> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  const IgnoredSignals ignored;
  pid_t child = -1;
  Check(posix_spawn(&child, "/bin/sh", nullptr, ChildAttributes().get(), argv.data(), environ));
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) Check(errno);
  }
  constexpr int kBySignal = 128;
  return WIFSIGNALED(status) ? kBySignal + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace iq::cli
