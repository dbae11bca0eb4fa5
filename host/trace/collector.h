// The server that spans go to, by the OpenTelemetry Protocol over HTTP.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "host/base/outage.h"
#include "host/config.h"

namespace httplib {
class ClientImpl;
}

namespace iq {

// Belongs to one thread but for Interrupt.
class Collector {
 public:
  // Connects with the first Post.
  explicit Collector(const TracingConfig& config);
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  ~Collector();

  enum class Answer {
    kTaken,
    kRefused,  // It does not want these: no use in sending them again.
    kAway,     // It may take them later.
  };
  // Waits for the answer, a few seconds at most. Logs when a time without answers that are good
  // begins, and when it ends.
  Answer Post(const std::string& json);

  // A Post that another thread is in ends soon, as kAway.
  void Interrupt();

  // The last Post was not taken.
  bool away() const { return outage_.ongoing(); }
  std::chrono::milliseconds UntilNextAttempt() const { return outage_.UntilNextAttempt(); }

 private:
  TracingConfig config_;
  std::unique_ptr<httplib::ClientImpl> client_;
  Outage outage_;
};

}  // namespace iq
