#include "host/base/outage.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/base/log.h"

namespace iq {
namespace {

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr int kDoublingsMax = 5;  // 50 ms << 5 is 1.6 s; the cap below rounds it to 2 s.
constexpr std::chrono::milliseconds kPauseMax{2000};

}  // namespace

Outage::Outage(std::string server) : server_(std::move(server)), random_(std::random_device{}()) {}

void Outage::Failed(std::string_view reason) {
  const auto now = Clock::now();
  if (failures_ == 0) {
    began_ = now;
    log::Warn(fmt::format("{} is unavailable: {}; reconnecting", server_, reason));
  }
  const auto pause =
      failures_ > kDoublingsMax ? kPauseMax : std::min(kPauseMax, kFirstPause * (1 << failures_));
  std::uniform_int_distribution<std::int64_t> jitter(pause.count() / 2, pause.count());
  next_attempt_ = now + std::chrono::milliseconds(jitter(random_));
  ++failures_;
}

void Outage::Ended() {
  if (failures_ == 0) return;
  const auto length =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count();
  log::Info(fmt::format("{} is back after {} ms", server_, length));
  failures_ = 0;
}

std::chrono::milliseconds Outage::UntilNextAttempt() const {
  if (failures_ == 0) return std::chrono::milliseconds{0};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_attempt_ - Clock::now());
  return std::max(left, std::chrono::milliseconds{0});
}

}  // namespace iq
