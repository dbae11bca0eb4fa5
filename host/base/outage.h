// One server's outage as one connection sees it: a log line when it begins, one when it ends, and
// a jittered pause between the attempts to reconnect.
#pragma once

#include <chrono>
#include <random>
#include <string>
#include <string_view>

namespace iq {

// Not thread-safe: one per connection.
class Outage {
 public:
  using Clock = std::chrono::steady_clock;

  // `server` names the server in the log, for instance "postgresql at 127.0.0.1:5432". It must not
  // contain a password.
  explicit Outage(std::string server);

  // An attempt failed. Logs `reason` unless the outage is already known, and puts the next attempt
  // off by 50 ms at first, doubling up to 2 s, each drawn between half and the whole of that.
  void Failed(std::string_view reason);

  // An attempt succeeded. Logs the outage's length if there was one.
  void Ended();

  bool ongoing() const { return failures_ > 0; }

  // Time until the next attempt is due; zero when it is, or when there is no outage.
  std::chrono::milliseconds UntilNextAttempt() const;

 private:
  std::string server_;
  int failures_ = 0;
  Clock::time_point began_{};
  Clock::time_point next_attempt_{};
  std::minstd_rand random_;
};

}  // namespace iq
