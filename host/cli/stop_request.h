// Ctrl-C as a wish to be asked for, where the work is not to be cut in two.
#pragma once

#include <csignal>
#include <ctime>

namespace iq::cli {

// SIGINT and SIGTERM held back from where it is made.
class StopRequest {
 public:
  StopRequest() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // Whether one came since it was asked last.
  bool Came() const {
    constexpr timespec kNow{};
    return sigtimedwait(&signals_, nullptr, &kNow) > 0;
  }

 private:
  sigset_t signals_{};
};

}  // namespace iq::cli
