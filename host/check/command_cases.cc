#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "host/check/bodies.h"
#include "host/check/cases.h"
#include "host/check/stand_in_host.h"
#include "host/plugin_child.h"

namespace iq::check {
namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr std::size_t kShownBytesMax = 160;
constexpr int kTimedRuns = 300;
// A worker plans on the thread that also serves everybody else.
constexpr Microseconds kPlanMedianMax{1000};

std::string_view View(iq_str text) { return {text.ptr, text.len}; }

std::string Shown(const std::string& body) {
  if (body.size() <= kShownBytesMax) return body;
  return body.substr(0, kShownBytesMax) + "…";
}

std::string WhatFailed(const std::string& body, const Verdict& verdict, const Subject& subject) {
  const bool wants_tables = verdict.code == "sql_error" && subject.tables.empty();
  return fmt::format("it fails with {}: {} ({}){}", Shown(body), verdict.reason, verdict.code,
                     wants_tables ? "; give its tables with --tables FILE.sql" : "");
}

// Commands by their types, each with its examples.
template <typename Visit>
std::size_t ForEachExample(const Plugin& plugin, Visit visit) {
  std::size_t count = 0;
  for (const iq_command_type& type : plugin.commands()) {
    for (const std::string& body : Examples(View(type.type), View(type.schema))) {
      visit(body);
      ++count;
    }
  }
  return count;
}

Finding NoExamples() {
  return Finding::Nothing("its schemas have no `examples`: give each some bodies that are good");
}

std::vector<std::string> TypesWithoutExamples(const Plugin& plugin) {
  std::vector<std::string> types;
  for (const iq_command_type& type : plugin.commands()) {
    if (Examples(View(type.type), View(type.schema)).empty()) types.emplace_back(View(type.type));
  }
  return types;
}

// Every body that any of the plugin's types might get, good or not.
std::vector<std::string> AllBodies(const Plugin& plugin) {
  std::vector<std::string> bodies;
  for (const iq_command_type& type : plugin.commands()) {
    const auto some = HostileBodies(View(type.type), View(type.schema));
    bodies.insert(bodies.end(), some.begin(), some.end());
  }
  return bodies;
}

void RequireSamePlan(const std::string& body, const StandInHost::Ended& first,
                     const StandInHost::Ended& second) {
  if (first.keys == second.keys && first.verdict.code == second.verdict.code) return;
  throw std::runtime_error(fmt::format(
      "it plans differently each time, with {}: a plan depends on the message alone", Shown(body)));
}

class Timing {
 public:
  template <typename Work>
  void Measure(Work work) {
    const auto began = Clock::now();
    work();
    times_.emplace_back(Clock::now() - began);
  }

  Microseconds Median() {
    std::sort(times_.begin(), times_.end());
    return times_.at(times_.size() / 2);
  }
  Microseconds Longest() const { return *std::max_element(times_.begin(), times_.end()); }

 private:
  std::vector<Microseconds> times_;
};

}  // namespace

Finding CheckExamples(const Subject& subject) {
  const LoadedPlugin loaded(subject);
  StandInHost host(loaded, subject, "examples");
  std::size_t done = 0;
  const std::size_t count = ForEachExample(loaded.plugin(), [&](const std::string& body) {
    plugin_child::Step("handling " + Shown(body));
    const Verdict verdict = host.Handle(body).verdict;
    if (verdict.outcome == Outcome::kInvalid) {
      throw std::runtime_error(fmt::format("its own example is invalid: {}: {} ({})", Shown(body),
                                           verdict.reason, verdict.code));
    }
    if (verdict.outcome == Outcome::kFailed) {
      throw std::runtime_error(WhatFailed(body, verdict, subject));
    }
    done += verdict.outcome == Outcome::kDone ? 1 : 0;
  });
  if (count == 0) return NoExamples();
  const auto without = TypesWithoutExamples(loaded.plugin());
  if (!without.empty()) {
    throw std::runtime_error(
        fmt::format("the schema of its type \"{}\" has no `examples`, those "
                    "of other types have",
                    without.front()));
  }
  return {.detail = fmt::format("{} of {} are done, the others refused or put off", done, count)};
}

Finding CheckHostileInput(const Subject& subject) {
  const LoadedPlugin loaded(subject);
  StandInHost host(loaded, subject, "hostile");
  std::size_t count = 0;
  const auto judge = [&](const std::string& body, const StandInHost::Ended& ended) {
    ++count;
    if (ended.verdict.outcome != Outcome::kFailed) return;
    throw std::runtime_error(WhatFailed(body, ended.verdict, subject));
  };
  for (const std::string& body : AllBodies(loaded.plugin())) {
    plugin_child::Step("handling " + Shown(body));
    judge(body, host.Handle(body));
  }
  for (const Listener& listener : loaded.plugin().listeners()) {
    for (const std::string& body : EventBodies(listener.pattern)) {
      plugin_child::Step(fmt::format("listener {} on {}", listener.label, Shown(body)));
      judge(body, host.HandleEvent(listener.label, body));
    }
  }
  return {.detail = fmt::format("{} bodies", count)};
}

Finding CheckPlan(const Subject& subject) {
  const LoadedPlugin loaded(subject);
  StandInHost first(loaded, subject, "plan");
  StandInHost second(loaded, subject, "plan");
  const std::vector<std::string> bodies = AllBodies(loaded.plugin());
  std::vector<StandInHost::Ended> plans;
  for (const std::string& body : bodies) {
    plugin_child::Step("planning " + Shown(body));
    plans.push_back(first.Plan(body));
    RequireSamePlan(body, plans.back(), first.Plan(body));
  }
  // By another handler, in another order.
  for (std::size_t i = bodies.size(); i > 0; --i) {
    RequireSamePlan(bodies[i - 1], plans[i - 1], second.Plan(bodies[i - 1]));
  }
  std::size_t keys_max = 0;
  for (const auto& plan : plans) keys_max = std::max(keys_max, plan.keys.size());
  return {.detail = fmt::format("{} bodies, at most {} locks each", bodies.size(), keys_max)};
}

Finding CheckTime(const Subject& subject) {
  const LoadedPlugin loaded(subject);
  StandInHost host(loaded, subject, "time");
  Timing plan;
  Timing handle;
  const std::size_t count = ForEachExample(loaded.plugin(), [&](const std::string& body) {
    plugin_child::Step("handling " + Shown(body));
    for (int i = 0; i < kTimedRuns; ++i) {
      plan.Measure([&] { host.Plan(body); });
      handle.Measure([&] { host.Handle(body); });
    }
  });
  if (count == 0) return NoExamples();
  if (plan.Median() > kPlanMedianMax) {
    throw std::runtime_error(fmt::format(
        "its Plan takes {:.1f} ms, schema included: everything else on the worker waits for it",
        plan.Median().count() / 1000));
  }
  return {
      .detail = fmt::format(
          "plan {:.0f} µs (longest {:.0f}), plan and handle on SQLite {:.0f} µs (longest {:.0f})",
          plan.Median().count(), plan.Longest().count(), handle.Median().count(),
          handle.Longest().count())};
}

}  // namespace iq::check
