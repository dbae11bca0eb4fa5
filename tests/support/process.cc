#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

namespace iq::test {
namespace {

[[noreturn]] void Throw(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

// "NAME=value" for each variable that the child shall see.
std::vector<std::string> Environment(const ProcessOptions& options) {
  const auto replaced = [&](std::string_view line) {
    const std::string_view name = line.substr(0, line.find('='));
    return std::any_of(options.environment.begin(), options.environment.end(),
                       [&](const auto& pair) { return pair.first == name; }) ||
           std::find(options.without_environment.begin(), options.without_environment.end(),
                     name) != options.without_environment.end();
  };
  std::vector<std::string> lines;
  for (char** line = environ; *line != nullptr; ++line) {
    if (!replaced(*line)) {
      lines.emplace_back(*line);
    }
  }
  for (const auto& [name, value] : options.environment) {
    lines.push_back(name);
    lines.back().append("=").append(value);
  }
  return lines;
}

// Pointers into `words`, ended by a null pointer.
std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

class FileActions {
 public:
  explicit FileActions(const ProcessOptions& options) {
    constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
    constexpr mode_t kMode = 0644;
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!options.stdout_file.empty()) {
      posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, options.stdout_file.c_str(),
                                       kAppend, kMode);
    }
    if (!options.stderr_file.empty()) {
      posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, options.stderr_file.c_str(),
                                       kAppend, kMode);
    }
    if (!options.directory.empty()) {
      posix_spawn_file_actions_addchdir_np(&actions_, options.directory.c_str());
    }
  }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }

  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

// A new session, no signal blocked or ignored.
class Attributes {
 public:
  Attributes() {
    sigset_t none{};
    sigset_t all{};
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(
        &attributes_,
        static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

// The session and state fields of /proc/<pid>/stat (see proc(5)); nullopt when it is gone.
std::optional<pid_t> LivingInSession(const std::filesystem::path& directory) {
  const std::string stat = ReadFile(directory / "stat");
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream fields(stat.substr(name_end + 1));
  char state = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  fields >> state >> parent >> group >> session;
  if (!fields || state == 'Z' || state == 'X') {
    return std::nullopt;
  }
  return session;
}

std::vector<pid_t> SessionMembers(pid_t session) {
  std::vector<pid_t> members;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size() &&
        LivingInSession(entry.path()) == session) {
      members.push_back(pid);
    }
  }
  return members;
}

void KillSession(pid_t session) {
  // A process may fork while it is being found, hence the repetition.
  for (auto members = SessionMembers(session); !members.empty();
       members = SessionMembers(session)) {
    for (const pid_t member : members) {
      kill(member, SIGKILL);
    }
  }
}

}  // namespace

Process::Process(std::vector<std::string> argv, ProcessOptions options) {
  if (argv.empty()) {
    Throw(EINVAL, "Process without a program");
  }
  std::vector<std::string> environment = Environment(options);
  const FileActions files(options);
  const Attributes attributes;
  const int error = posix_spawnp(&pid_, argv.front().c_str(), files.get(), attributes.get(),
                                 Pointers(argv).data(), Pointers(environment).data());
  if (error != 0) {
    Throw(error, argv.front());
  }
  // Not pidfd_open(): its declaration in glibc 2.36 is not usable from C++.
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pid_fd_ < 0) {
    const int open_error = errno;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    Throw(open_error, "pidfd_open");
  }
  watchdog_ = std::make_unique<Watchdog>(
      std::vector<std::string>{"pkill", "-KILL", "-s", std::to_string(pid_)});
}

Process::~Process() {
  Kill9();
  watchdog_.reset();
  waitpid(pid_, nullptr, 0);
  close(pid_fd_);
}

bool Process::running() { return !Wait(std::chrono::milliseconds(0)).has_value(); }

void Process::Signal(int signal) {
  if (running()) {
    kill(pid_, signal);
  }
}

void Process::Kill9() {
  if (running()) {
    kill(pid_, SIGKILL);
  }
  KillSession(pid_);
  constexpr std::chrono::hours kForever{1};
  Wait(kForever);
}

std::optional<ExitStatus> Process::Wait(std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!exit_) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd ended{.fd = pid_fd_, .events = POLLIN, .revents = 0};
    const int ready =
        poll(&ended, 1, static_cast<int>(std::max(left, std::chrono::milliseconds(0)).count()));
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    if (ready < 0) {
      Throw(errno, "poll");
    }
    if (ready == 0) {
      return std::nullopt;
    }
    // The child stays a zombie until the destructor, so that its number cannot be another's.
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0) {
      Throw(errno, "waitid");
    }
    exit_ = info.si_code == CLD_EXITED ? ExitStatus{.code = info.si_status}
                                       : ExitStatus{.signal = info.si_status};
  }
  return exit_;
}

std::string ReadFile(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

}  // namespace iq::test
