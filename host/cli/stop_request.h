// SIGINT and SIGTERM, held back from where it is made, to be asked for: for a verb that goes on
// until somebody ends it.
#pragma once

#include <csignal>
#include <ctime>

namespace iq::cli {

class StopRequest {
 public:
  StopRequest() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  bool Came() const {
    constexpr timespec kNow{};
    return sigtimedwait(&signals_, nullptr, &kNow) > 0;
  }

 private:
  sigset_t signals_{};
};

}  // namespace iq::cli
