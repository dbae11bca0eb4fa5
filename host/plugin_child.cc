#include "host/plugin_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

namespace iq {
namespace {

using Clock = std::chrono::steady_clock;

constexpr rlim_t kMiB = 1024 * 1024;
constexpr rlim_t kAddressSpaceMax = 8192 * kMiB;
constexpr rlim_t kFileBytesMax = 64 * kMiB;
constexpr std::size_t kReportBytesMax = 16384;
constexpr std::size_t kLineBytesMax = 1000;

// A line of the report that begins with one of these is a step or a result, any other says what is
// wrong.
constexpr char kStep = '>';
constexpr char kResult = '=';

// A file in memory; -1 when there is none to be had.
int MemoryFile(const std::string& contents) {
  const int file = memfd_create("iq-plugin-child", MFD_CLOEXEC);
  if (file < 0) return -1;
  if (write(file, contents.data(), contents.size()) != static_cast<ssize_t>(contents.size()) ||
      lseek(file, 0, SEEK_SET) != 0) {
    close(file);
    return -1;
  }
  return file;
}

// What a report says in the end.
struct Report {
  Report(const std::string& text, std::size_t result_bytes_max) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      last_is_step = line.starts_with(kStep);
      if (last_is_step) {
        step = line.substr(1, kLineBytesMax);
      } else if (line.starts_with(kResult)) {
        result = line.substr(1, result_bytes_max);
      } else {
        reason = line.substr(0, kLineBytesMax);
      }
    }
  }

  std::string step;    // What the child was about to do.
  std::string reason;  // What it says is wrong.
  std::string result;
  bool last_is_step = false;
};

void Limit(__rlimit_resource resource, rlim_t value) {
  const rlimit limit{value, value};
  setrlimit(resource, &limit);
}

void LimitThisProcess(std::chrono::seconds patience) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_CPU, static_cast<rlim_t>(patience.count()) + 1);
  Limit(RLIMIT_FSIZE, kFileBytesMax);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  Limit(RLIMIT_AS, kAddressSpaceMax);  // The sanitizers reserve far more.
#endif
}

void Say(std::string line) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  (void)!write(STDOUT_FILENO, line.data(), line.size());
}

// The same message with or without the name that Plugin puts before it.
std::string WithoutName(std::string reason) {
  constexpr std::string_view kName = "it: ";
  return reason.starts_with(kName) ? reason.substr(kName.size()) : reason;
}

}  // namespace

PluginChild::PluginChild(const Task& task)
    : patience_(task.patience),
      result_bytes_max_(task.result_bytes_max),
      deadline_(Clock::now() + task.patience) {
  const int input = MemoryFile(task.input);
  report_ = MemoryFile("");
  Start(task, input);
  if (input >= 0) close(input);
}

void PluginChild::Start(const Task& task, int input) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, report_, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGPIPE);
  sigaddset(&signals, SIGHUP);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> arguments = task.arguments;
  arguments.insert(arguments.begin(), "iq");
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error =
      posix_spawn(&child_, task.program.c_str(), &files, &attributes, argv.data(), environ);
  if (error != 0) {
    child_ = -1;
    failure_ = std::generic_category().message(error);
  }
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
}

PluginChild::PluginChild(PluginChild&& other) noexcept
    : patience_(other.patience_),
      result_bytes_max_(other.result_bytes_max_),
      deadline_(other.deadline_),
      child_(std::exchange(other.child_, -1)),
      report_(std::exchange(other.report_, -1)),
      failure_(std::move(other.failure_)) {}

PluginChild::~PluginChild() {
  if (child_ > 0) {
    kill(-child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  if (report_ >= 0) close(report_);
}

// False when it was ended by force.
bool PluginChild::AwaitEnd(int* status) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, child_, 0));
  pollfd event{handle, POLLIN, 0};
  const bool ended =
      handle >= 0 && poll(&event, 1, static_cast<int>(std::max<long>(left.count(), 0))) == 1;
  if (handle >= 0) close(handle);
  // Whatever it has started goes with it.
  kill(-child_, SIGKILL);
  waitpid(std::exchange(child_, -1), status, 0);
  return ended;
}

PluginChild::End PluginChild::Wait() {
  if (child_ < 0) {
    return {fmt::format("no process to try it in can be started: {}", failure_), {}};
  }
  int status = 0;
  const bool ended = AwaitEnd(&status);
  Report report(ReadReport(), result_bytes_max_);
  if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return {std::nullopt, std::move(report.result)};
  }
  if (!ended) {
    return {fmt::format("it did not end within {} s: {} hangs", patience_.count(), report.step),
            {}};
  }
  if (WIFSIGNALED(status)) {
    const char* const signal = sigdescr_np(WTERMSIG(status));
    return {fmt::format("it crashed: {} ends in \"{}\"", report.step,
                        signal == nullptr ? "an unknown signal" : signal),
            {}};
  }
  if (!report.last_is_step && !report.reason.empty()) return {std::move(report.reason), {}};
  return {fmt::format("{} ended the process with status {}", report.step, WEXITSTATUS(status)), {}};
}

// The end of it: a plugin may have written there as well.
std::string PluginChild::ReadReport() const {
  std::string text(kReportBytesMax + result_bytes_max_, '\0');
  const off_t end = lseek(report_, 0, SEEK_END);
  const off_t from = std::max<off_t>(end - static_cast<off_t>(text.size()), 0);
  const ssize_t size = pread(report_, text.data(), text.size(), from);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

namespace plugin_child {

void Run(std::chrono::seconds patience, const std::function<void(const std::string& input)>& work) {
  LimitThisProcess(patience);
  int status = 0;
  try {
    work({std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()});
  } catch (const std::exception& error) {
    Say(WithoutName(error.what()));
    status = 1;
  } catch (...) {
    Say("it throws something that is no std::exception");
    status = 1;
  }
  _exit(status);
}

void Step(const std::string& what) { Say(kStep + what); }

void Result(const std::string& text) { Say(kResult + text); }

}  // namespace plugin_child

}  // namespace iq
