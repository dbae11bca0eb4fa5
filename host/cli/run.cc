// iq run: the host, until SIGTERM or SIGINT.
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>

#include "host/base/log.h"
#include "host/cli/sql_folder.h"
#include "host/cli/verbs.h"
#include "host/host.h"
#include "host/trace/environment.h"

namespace iq::cli {
namespace {

// Signals as they are read by one thread, instead of handlers that interrupt the others.
class StopSignals {
 public:
  StopSignals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals() { close(fd_); }

  // True when one came within `wait_ms`.
  bool Wait(int wait_ms) const {
    pollfd event{fd_, POLLIN, 0};
    if (poll(&event, 1, wait_ms) != 1) return false;
    signalfd_siginfo info{};
    return read(fd_, &info, sizeof info) == sizeof info;
  }

 private:
  int fd_ = -1;
};

// Asks for a stop at the first SIGTERM or SIGINT. From then on the process ends at the second one,
// or when draining takes longer than it may: what is not acked goes back to the broker, and an open
// transaction is rolled back.
class Stopper {
 public:
  explicit Stopper(std::chrono::milliseconds limit) : limit_(limit), thread_([this] { Watch(); }) {}
  Stopper(const Stopper&) = delete;
  Stopper& operator=(const Stopper&) = delete;
  ~Stopper() {
    drained_ = true;
    thread_.join();
  }

  const std::atomic<bool>& requested() const { return requested_; }

 private:
  void Watch() {
    while (!drained_ && !requested_) requested_ = signals_.Wait(kStepMs);
    if (requested_) log::Info("stopping: finishing what is in hand");
    const auto deadline = std::chrono::steady_clock::now() + limit_;
    while (!drained_) {
      if (signals_.Wait(kStepMs)) End("a second signal: ended at once");
      if (std::chrono::steady_clock::now() > deadline)
        End("not drained within limits.shutdown: ended");
    }
  }

  [[noreturn]] static void End(std::string_view why) {
    log::Warn(why);
    _exit(kDone);
  }

  static constexpr int kStepMs = 50;

  StopSignals signals_;
  std::chrono::milliseconds limit_;
  std::atomic<bool> requested_{false};
  std::atomic<bool> drained_{false};
  std::thread thread_;
};

int Run(Config config) {
  RequireUrls(config);
  config.tracing = TracingOfThisProcess();
  std::signal(SIGHUP, SIG_IGN);
  // Before anything that starts a thread: the signals are blocked in all of them.
  const Stopper stopper(config.limits.shutdown);
  Host host(std::move(config));
  host.Start(stopper.requested());
  while (!stopper.requested()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  host.Drain();
  log::Info("stopped");
  return kDone;
}

}  // namespace

void AddRun(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "run", "Consume commands until SIGTERM or SIGINT");
  const auto sql_directory = std::make_shared<std::string>();
  AddSqlOption(*verb, *sql_directory);
  verb->callback([&invocation, sql_directory] {
    invocation.work = [&invocation, sql_directory] {
      Config config = invocation.Load();
      config.sql_directory = SqlFolder(*sql_directory, invocation.config_path);
      return Run(std::move(config));
    };
  });
}

}  // namespace iq::cli
