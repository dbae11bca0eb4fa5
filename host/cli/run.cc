// iq run: the host, until SIGTERM or SIGINT.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "host/base/log.h"
#include "host/cli/sql_folder.h"
#include "host/cli/verbs.h"
#include "host/host.h"
#include "host/trace/environment.h"

namespace iq::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kForever{-1};  // To poll().

// Signals as they are read by one thread, instead of handlers that interrupt the others.
class StopSignals {
 public:
  StopSignals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    wake_ = eventfd(0, EFD_CLOEXEC);
    if (signals_ < 0 || wake_ < 0) {
      throw std::system_error(errno, std::generic_category(), "cannot watch for signals");
    }
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals() {
    close(signals_);
    close(wake_);
  }

  // Waits until one comes or Wake() is called, and for `wait` at most. True when one came.
  bool Wait(std::chrono::milliseconds wait) const {
    std::array<pollfd, 2> events{{{signals_, POLLIN, 0}, {wake_, POLLIN, 0}}};
    poll(events.data(), events.size(), static_cast<int>(wait.count()));
    signalfd_siginfo info{};
    return read(signals_, &info, sizeof info) == sizeof info;
  }

  // From now on nobody waits.
  void Wake() const { eventfd_write(wake_, 1); }

 private:
  int signals_ = -1;
  int wake_ = -1;
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
    signals_.Wake();
    thread_.join();
  }

  const std::atomic<bool>& requested() const { return requested_; }

 private:
  void Watch() {
    while (!signals_.Wait(kForever)) {
      if (drained_) return;
    }
    requested_ = true;
    requested_.notify_all();
    log::Info("stopping: finishing what is in hand");
    const auto deadline = Clock::now() + limit_;
    while (!drained_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      if (left.count() <= 0) End("not drained within limits.shutdown: ended");
      if (signals_.Wait(left)) End("a second signal: ended at once");
    }
  }

  [[noreturn]] static void End(std::string_view why) {
    log::Warn(why);
    _exit(kDone);
  }

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
  stopper.requested().wait(false);
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
