#include "host/base/outage.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "host/base/log.h"

namespace iq {
namespace {

using Clock = Outage::Clock;

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr int kDoublingsMax = 5;  // 50 ms << 5 is 1.6 s; the cap below rounds it to 2 s.
constexpr std::chrono::milliseconds kPauseMax{2000};

// What this process has said of its servers.
class Servers {
 public:
  static Servers& OfThisProcess() {
    static Servers servers;
    return servers;
  }

  // True for the first connection that finds it away.
  bool Lost(const std::string& server, Outage::Need need, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    Server& state = servers_[server];
    state.need = need;
    ++state.failing;
    if (state.away_since) return false;
    state.away_since = Clock::now();
    state.reason = reason;
    state.mend_said = false;
    ++state.outages;
    return true;
  }

  // True for the first connection that finds out, in an outage, what has to be mended.
  bool Explained(const std::string& server, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    Server& state = servers_[server];
    if (!state.away_since || state.mend_said) return false;
    state.reason = reason;
    state.mend_said = true;
    return true;
  }

  // It is still away, for this reason now: that is what ServerStates tells.
  void StillAway(const std::string& server, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    Server& state = servers_[server];
    if (state.away_since && !state.mend_said) state.reason = reason;
  }

  // How long it was away, for the first connection that finds it back.
  std::optional<Clock::duration> Found(const std::string& server) {
    const std::lock_guard lock(mutex_);
    Server& state = servers_[server];
    --state.failing;
    const auto since = std::exchange(state.away_since, std::nullopt);
    if (!since) return std::nullopt;
    return Clock::now() - *since;
  }

  // A connection that failed is given up. With the last one nobody waits for the server any more.
  void GivenUp(const std::string& server) {
    const std::lock_guard lock(mutex_);
    Server& state = servers_[server];
    if (--state.failing == 0) state.away_since.reset();
  }

  std::vector<ServerState> States() const {
    const std::lock_guard lock(mutex_);
    std::vector<ServerState> states;
    for (const auto& [name, server] : servers_) {
      if (server.need == Outage::Need::kOptional) continue;
      const bool away = server.away_since.has_value();
      states.push_back({name, away, away ? server.reason : std::string(), server.outages});
    }
    return states;
  }

 private:
  struct Server {
    Outage::Need need = Outage::Need::kRequired;
    int failing = 0;  // Connections.
    std::optional<Clock::time_point> away_since;
    std::string reason;
    bool mend_said = false;  // In `reason`.
    std::uint64_t outages = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Server> servers_;
};

}  // namespace

std::vector<ServerState> ServerStates() { return Servers::OfThisProcess().States(); }

Outage::Outage(std::string server, Need need)
    : server_(std::move(server)), need_(need), random_(std::random_device{}()) {}

Outage::~Outage() {
  if (ongoing()) Servers::OfThisProcess().GivenUp(server_);
}

void Outage::Failed(std::string_view reason, Unavailable::Mend mend) {
  Servers& servers = Servers::OfThisProcess();
  const bool begins = failures_ == 0 && servers.Lost(server_, need_, reason);
  const bool explained = mend == Unavailable::Mend::kSaid && servers.Explained(server_, reason);
  if (begins || explained) {
    log::Warn(fmt::format("{} is unavailable: {}; reconnecting", server_, reason));
  } else {
    servers.StillAway(server_, reason);
  }
  const auto pause =
      failures_ > kDoublingsMax ? kPauseMax : std::min(kPauseMax, kFirstPause * (1 << failures_));
  std::uniform_int_distribution<std::int64_t> jitter(pause.count() / 2, pause.count());
  next_attempt_ = Clock::now() + std::chrono::milliseconds(jitter(random_));
  ++failures_;
}

void Outage::Ended() {
  if (!ongoing()) return;
  failures_ = 0;
  if (const auto length = Servers::OfThisProcess().Found(server_)) {
    log::Info(fmt::format("{} is back after {} ms", server_,
                          std::chrono::duration_cast<std::chrono::milliseconds>(*length).count()));
  }
}

std::chrono::milliseconds Outage::UntilNextAttempt() const {
  if (failures_ == 0) return std::chrono::milliseconds{0};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_attempt_ - Clock::now());
  return std::max(left, std::chrono::milliseconds{0});
}

}  // namespace iq
