// The pulse of all hosts, once a second, for everybody who watches it at the same time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/admin/pulse.h"
#include "host/broker/broker.h"
#include "host/config.h"
#include "host/store/store.h"

namespace iq {

// Thread-safe. Nothing is looked at while nobody watches.
class Live {
 public:
  static constexpr std::size_t kViewersMax = 8;  // Each takes one of the endpoint's threads.

  // Whoever watches; while it lives, looks go on. For one thread.
  class Viewer {
   public:
    explicit Viewer(Live& live);
    Viewer(const Viewer&) = delete;
    Viewer& operator=(const Viewer&) = delete;
    ~Viewer();

    // The next server-sent event, as it is written; a comment where none came for a while, nothing
    // once the stream is over.
    std::optional<std::string> Next();

   private:
    Live& live_;
    std::uint64_t seen_ = 0;
    bool began_ = false;
  };

  // All must outlive this object. `jobs` is what stands in each pulse's "jobs"; `locks` names the
  // lock server.
  Live(const Config& config, Broker& broker, Store& store, const std::string& locks,
       std::function<nlohmann::ordered_json()> jobs);
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;
  ~Live();

  // Throws ApiError where too many watch. The viewer must not outlive this object.
  std::shared_ptr<Viewer> Watch();

  // Ends all streams.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Past {
    std::uint64_t number;
    Clock::time_point at;
    std::string pulse;
  };

  void Run();
  std::string Look();
  void LookAtQueues(nlohmann::ordered_json& pulse);
  void LookAtJournal(nlohmann::ordered_json& pulse);
  void Remember(std::string pulse);

  const Config& config_;
  Broker& broker_;
  Store& store_;
  const std::vector<std::string> servers_;
  const std::function<nlohmann::ordered_json()> jobs_;

  // Of the thread that looks.
  std::optional<Pulses> pulses_;
  Clock::time_point looked_at_{};
  Clock::time_point queues_due_{};
  Clock::time_point journal_due_{};
  nlohmann::ordered_json queues_ = nlohmann::ordered_json::array();
  nlohmann::ordered_json journal_;
  std::string broker_fault_;
  std::string store_fault_;

  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  std::deque<Past> past_;
  std::uint64_t last_ = 0;
  std::size_t viewers_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // Once somebody has watched.
};

}  // namespace iq
