// One server's outage: a log line when it begins, one when it ends, one in between where it turns
// out that a person must mend something, and a jittered pause between the attempts of each
// connection to reconnect.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/error.h"

namespace iq {

// What the connections of this process say together of a server that commands need.
struct ServerState {
  std::string server;
  bool away = false;
  std::string reason;         // Why it is away.
  std::uint64_t outages = 0;  // That have begun.
};

// Of each server that has been away. Any thread.
std::vector<ServerState> ServerStates();

// As one connection sees it. Connections to the same server share what is said of its outage: the
// first one that fails says that it begins, the first one that is back that it has ended. Each
// object belongs to one thread at a time.
class Outage {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Need {
    kRequired,  // No command is carried out without the server.
    kOptional,  // Its outage is logged, and is no part of ServerStates.
  };

  // `server` names the server in the log, for instance "postgresql at 127.0.0.1:5432". It must not
  // contain a password.
  explicit Outage(std::string server, Need need = Need::kRequired);
  Outage(const Outage&) = delete;
  Outage& operator=(const Outage&) = delete;
  ~Outage();

  // An attempt failed. Logs `reason` unless the outage is already known, or known with a reason
  // that says its mend where this one does, and puts the next attempt off by 50 ms at first,
  // doubling up to 2 s, each drawn between half and the whole of that.
  void Failed(std::string_view reason, Unavailable::Mend mend = Unavailable::Mend::kUsual);

  // An attempt succeeded. Logs the outage's length if there was one that nobody has seen to end.
  void Ended();

  bool ongoing() const { return failures_ > 0; }

  // Time until the next attempt is due; zero when it is, or when there is no outage.
  std::chrono::milliseconds UntilNextAttempt() const;

 private:
  std::string server_;
  Need need_;
  int failures_ = 0;
  Clock::time_point next_attempt_{};
  std::minstd_rand random_;
};

}  // namespace iq
