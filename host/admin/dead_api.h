// The dead letters as the page shows them, and what it does about them.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "host/admin/acts.h"
#include "host/admin/api.h"
#include "host/admin/dead_jobs.h"
#include "host/admin/walking.h"
#include "host/broker/broker.h"
#include "host/config.h"
#include "host/dead/dead_act.h"
#include "host/dead/dead_letter.h"

namespace iq {

// The longest body that the page shows whole and sends.
std::size_t BodyBytesMax(const Config& config);

// LETTER of docs/api.md.
nlohmann::ordered_json LetterJson(const DeadLetter& letter);

// Thread-safe. Throws ApiError, Unavailable, and std::runtime_error where there is no dead-letter
// queue.
class DeadApi {
 public:
  // All must outlive this object.
  DeadApi(const Config& config, Broker& broker, const Acts& acts)
      : config_(config),
        broker_(broker),
        acts_(acts),
        walking_(broker, config.dead_letter.queue),
        jobs_(config, broker, acts, walking_) {}

  nlohmann::ordered_json List(const ApiRequest& request) const;
  nlohmann::ordered_json Letter(const ApiRequest& request) const;
  // Those of one command.
  nlohmann::ordered_json LettersOf(const std::string& id) const;

  nlohmann::ordered_json Begin(DeadAct::Kind kind, const ApiRequest& request);
  nlohmann::ordered_json Edit(const ApiRequest& request) const;

  nlohmann::ordered_json Jobs() { return jobs_.All(); }
  nlohmann::ordered_json JobOf(const std::string& id) { return jobs_.Of(id); }
  nlohmann::ordered_json StopJob(const ApiRequest& request) { return jobs_.StopOne(request); }
  // Stops jobs and walks, and waits for the jobs.
  void Stop() {
    stopping_ = true;
    jobs_.Stop();
  }

 private:
  // Throws ApiError where somebody else has it for long.
  Walking::Turn TakeTurn() const;
  // The first letters of this name, each as `show` has it.
  nlohmann::ordered_json Named(
      const std::string& name,
      const std::function<nlohmann::ordered_json(const DeadLetter&)>& show) const;

  const Config& config_;
  Broker& broker_;
  const Acts& acts_;
  std::atomic<bool> stopping_{false};
  mutable Walking walking_;
  DeadJobs jobs_;
};

}  // namespace iq
