// Acts on many dead letters, each in a thread of its own, which others can watch and stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "host/admin/acts.h"
#include "host/admin/api.h"
#include "host/admin/walking.h"
#include "host/broker/broker.h"
#include "host/config.h"
#include "host/dead/dead_act.h"
#include "host/dead/dead_groups.h"
#include "host/dead/dead_selection.h"

namespace iq {

// Thread-safe. One goes through the queue at a time, the others wait for their turn. The last of
// those that have ended are remembered.
class DeadJobs {
 public:
  struct Order {
    DeadAct::Kind kind = DeadAct::Kind::kRetry;
    DeadSelection selection;
    bool dry_run = false;
    std::string who;
    nlohmann::ordered_json detail;  // For the audit: what is chosen.
  };

  // All must outlive this object.
  DeadJobs(const Config& config, Broker& broker, const Acts& acts, Walking& walking)
      : config_(config), broker_(broker), acts_(acts), walking_(walking) {}
  DeadJobs(const DeadJobs&) = delete;
  DeadJobs& operator=(const DeadJobs&) = delete;
  ~DeadJobs() { Stop(); }

  // JOB of docs/api.md. Throws ApiError where too many run, and as Acts::Begin does.
  nlohmann::ordered_json Begin(Order order);

  // Without their groups.
  nlohmann::ordered_json All();
  // Throw ApiError where there is none of this id.
  nlohmann::ordered_json Of(const std::string& id);
  nlohmann::ordered_json StopOne(const ApiRequest& request);

  // Stops all and waits for it.
  void Stop();

 private:
  struct Job {
    std::string id;
    Order order;
    std::int64_t act = 0;  // In the audit; 0 for a dry run.
    std::string started_at;
    std::string ended_at;
    std::string state = "running";
    std::string message;
    DeadAct::Progress progress{};
    DeadGroups groups;
    std::atomic<bool> stop{false};
    std::thread thread;
  };

  Job& Add(Order order);
  void Run(Job& job);
  // How it ended: its state, and what there is to say.
  struct End {
    std::string state;
    std::string message;
  };
  End Act(Job& job);
  Job& Find(const std::string& id);
  void Forget();
  enum class Groups { kWith, kWithout };
  static nlohmann::ordered_json ToJson(const Job& job, Groups groups);

  const Config& config_;
  Broker& broker_;
  const Acts& acts_;
  Walking& walking_;
  std::mutex mutex_;     // Guards the list and what changes in its jobs.
  std::list<Job> jobs_;  // The newest first.
  bool stopping_ = false;
};

}  // namespace iq
