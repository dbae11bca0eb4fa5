#include "host/plugin_trial.h"

namespace iq {
namespace {

constexpr std::size_t kFailuresMax = 3;
constexpr std::uint64_t kDeathsMax = 2;  // One may be the command's fault.
// It passes without having done anything after so many outcomes and so long a time.
constexpr std::uint32_t kOutcomesMax = 10;
constexpr std::chrono::seconds kTimeMax{30};

bool IsDone(const Verdict& verdict) {
  return verdict.outcome == Outcome::kDone || verdict.outcome == Outcome::kRejected;
}

// A deadline may be the database's doing.
bool IsItsFault(const Verdict& verdict) {
  return verdict.outcome == Outcome::kFailed && verdict.code != "deadline";
}

}  // namespace

void PluginTrial::Note(const std::string& uuid, const Verdict& verdict) {
  if (done_) return;
  ++outcomes_;
  if (IsDone(verdict)) done_ = true;
  if (!IsItsFault(verdict)) return;
  const std::lock_guard lock(mutex_);
  failures_.insert(uuid);
  if (!done_ && failures_.size() >= kFailuresMax) failed_ = true;
}

void PluginTrial::NoteDeaths(std::uint64_t deaths) {
  if (!done_ && deaths >= kDeathsMax) failed_ = true;
}

bool PluginTrial::passed() const {
  if (failed_) return false;
  return done_ || (outcomes_ >= kOutcomesMax && Clock::now() - began_ >= kTimeMax);
}

}  // namespace iq
