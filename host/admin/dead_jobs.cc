#include "host/admin/dead_jobs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "host/base/rfc3339.h"
#include "host/base/uuid.h"
#include "host/dead/letter_json.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr std::size_t kRememberedMax = 50;
constexpr std::ptrdiff_t kRunningMax = 4;
constexpr std::size_t kGroupsMax = 200;
constexpr auto kTurnPatience = 1h;
constexpr const char* kRunning = "running";

std::string Now() { return Rfc3339(std::chrono::system_clock::now()); }

const char* Name(DeadAct::Kind kind) { return kind == DeadAct::Kind::kRetry ? "retry" : "drop"; }

}  // namespace

Json DeadJobs::ToJson(const Job& job, Groups groups) {
  Json json{{"id", job.id},
            {"kind", Name(job.order.kind)},
            {"dryRun", job.order.dry_run},
            {"who", job.order.who},
            {"state", job.state},
            {"looked", job.progress.looked},
            {"size", job.progress.size},
            {"acted", job.progress.acted},
            {"message", job.message},
            {"startedAt", job.started_at},
            {"endedAt", job.ended_at.empty() ? Json() : Json(job.ended_at)}};
  if (groups == Groups::kWithout) return json;
  json["groups"] = Json::array();
  for (const DeadGroup& group : job.groups.Sorted()) {
    if (json["groups"].size() == kGroupsMax) break;
    json["groups"].push_back(GroupJson(group));
  }
  return json;
}

Json DeadJobs::Begin(Order order) {
  Job& job = Add(std::move(order));
  try {
    if (!job.order.dry_run) {
      const auto& names = job.order.selection.ids;
      job.act = acts_.Begin({job.order.who, Name(job.order.kind),
                             names.size() == 1 ? names.front() : "", job.order.detail});
    }
    const std::lock_guard lock(mutex_);
    if (stopping_) throw ApiError(ApiError::kUnavailable, "the process is stopping");
    job.thread = std::thread([this, &job] { Run(job); });
    return ToJson(job, Groups::kWith);
  } catch (const std::exception& error) {
    if (job.act != 0) acts_.End(job.act, "failed", error.what());
    const std::lock_guard lock(mutex_);
    jobs_.remove_if([&job](const Job& each) { return &each == &job; });
    throw;
  }
}

// In the list, and not yet at work.
DeadJobs::Job& DeadJobs::Add(Order order) {
  const std::lock_guard lock(mutex_);
  Forget();
  const auto running = std::count_if(jobs_.begin(), jobs_.end(),
                                     [](const Job& job) { return job.state == kRunning; });
  if (stopping_ || running >= kRunningMax) {
    throw ApiError(ApiError::kUnavailable,
                   fmt::format("{} jobs are running; wait for one, or stop it", running));
  }
  Job& job = jobs_.emplace_front();
  job.id = RandomUuid();
  job.order = std::move(order);
  job.started_at = Now();
  return job;
}

void DeadJobs::Run(Job& job) {
  End end = Act(job);
  std::uint64_t acted = 0;
  {
    const std::lock_guard lock(mutex_);
    acted = job.progress.acted;
  }
  if (job.act != 0) {
    acts_.End(
        job.act, end.state,
        end.message.empty() ? std::to_string(acted) : fmt::format("{}: {}", acted, end.message));
  }
  const std::lock_guard lock(mutex_);
  job.state = std::move(end.state);
  job.message = std::move(end.message);
  job.ended_at = Now();
}

DeadJobs::End DeadJobs::Act(Job& job) {
  std::optional<DeadAct> act;
  const auto note = [&](const DeadAct::Progress& progress) {
    const std::lock_guard lock(mutex_);
    job.progress = progress;
  };
  try {
    Walking::Turn turn(walking_, job.stop, kTurnPatience);
    if (!turn.owns()) return {"stopped", ""};
    act.emplace(config_, broker_, job.order.kind, job.order.selection, job.order.dry_run);
    const bool to_the_end = act->Run({.stop = [&job] { return job.stop.load(); },
                                      .on_progress = note,
                                      .on_acted =
                                          [&](const DeadLetter& letter, const RetriedLetter&) {
                                            const std::lock_guard lock(mutex_);
                                            job.groups.Add(letter);
                                          }});
    note(act->progress());
    const auto unmet = act->choice().unmet();
    act.reset();  // What it holds goes back before others have their turn.
    turn.Expect(job.order.dry_run ? job.progress.size : job.progress.size - job.progress.acted);
    return {to_the_end ? "done" : "stopped",
            unmet.empty() ? "" : fmt::format("not there: {}", fmt::join(unmet, ", "))};
  } catch (const std::exception& error) {
    if (act) note(act->progress());
    return {"failed", error.what()};
  }
}

Json DeadJobs::All() {
  const std::lock_guard lock(mutex_);
  Forget();
  Json all = Json::array();
  for (const Job& job : jobs_) all.push_back(ToJson(job, Groups::kWithout));
  return all;
}

Json DeadJobs::Of(const std::string& id) {
  const std::lock_guard lock(mutex_);
  return ToJson(Find(id), Groups::kWith);
}

Json DeadJobs::StopOne(const ApiRequest& request) {
  const std::string& id = request.path_part;
  std::optional<std::int64_t> act;
  if (!Of(id)["dryRun"].get<bool>()) {
    request.RequireMayWrite();
    act = acts_.Begin({request.who, "stop", "", {{"job", id}}});
  }
  {
    const std::lock_guard lock(mutex_);
    Find(id).stop = true;
  }
  if (act) acts_.End(*act, "done", "");
  return Of(id);
}

DeadJobs::Job& DeadJobs::Find(const std::string& id) {
  const auto found =
      std::find_if(jobs_.begin(), jobs_.end(), [&id](const Job& job) { return job.id == id; });
  if (found == jobs_.end()) throw ApiError(ApiError::kNothingThere, "there is no such job");
  return *found;
}

// Joins what has ended; of those the oldest go.
void DeadJobs::Forget() {
  std::size_t ended = 0;
  jobs_.remove_if([&ended](Job& job) {
    if (job.state == kRunning) return false;
    if (job.thread.joinable()) job.thread.join();
    return ++ended > kRememberedMax;
  });
}

void DeadJobs::Stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Job& job : jobs_) {
      job.stop = true;
      threads.push_back(std::move(job.thread));
    }
  }
  for (std::thread& thread : threads) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace iq
