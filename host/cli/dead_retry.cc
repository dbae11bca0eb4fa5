// iq dead retry: has dead letters judged anew, many at a time: published and confirmed first, then
// removed. A command without an id travels alone: where the end comes in between, it is at most one
// that is carried out twice.
#include <fmt/format.h>

#include <cstdio>

#include "host/cli/dead.h"
#include "host/cli/dead_batch.h"
#include "host/cli/dead_retrier.h"
#include "host/cli/dead_walk.h"
#include "host/cli/progress.h"
#include "host/cli/stop_request.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

class Retrying {
 public:
  Retrying(const Config& config, Broker& broker, const DeadSelection& selection, bool json)
      : walk_(broker, config),
        choice_(selection),
        retrier_(config, broker),
        progress_("looked at", walk_.size()),
        json_(json) {}

  // False where `stop` came first.
  bool Run(const StopRequest& stop) {
    std::uint64_t passed = 0;
    while (auto letter = walk_.Next()) {
      if (stop.Came()) return false;
      progress_.Show(++passed);
      if (!choice_.Takes(*letter)) continue;
      const bool alone = letter->nameless;
      if (alone) SendBack();
      batch_.Add(std::move(*letter));
      if (alone || batch_.full()) SendBack();
    }
    SendBack();
    return true;
  }

  std::uint64_t retried() const { return retried_; }
  std::uint64_t total() const { return walk_.size(); }
  const DeadChoice& choice() const { return choice_; }

 private:
  void SendBack() {
    if (batch_.empty()) return;
    progress_.Hide();
    const auto retried = retrier_.Retry(batch_.letters());
    // Before they are removed, which may fail: they are back.
    for (std::size_t i = 0; i < retried.size(); ++i) {
      PrintRetried(batch_.letters()[i], retried[i], json_);
    }
    walk_.Remove(batch_.letters());
    retried_ += retried.size();
    batch_.Clear();
  }

  DeadWalk walk_;
  DeadChoice choice_;
  DeadRetrier retrier_;
  DeadBatch batch_;
  Progress progress_;
  bool json_;
  std::uint64_t retried_ = 0;
};

}  // namespace

int RetryDead(const Config& config, const DeadSelection& selection, bool json) {
  const StopRequest stop;
  const auto broker = OpenBroker(config.broker.url, "iq dead retry");
  Retrying retrying(config, *broker, selection, json);
  if (retrying.Run(stop)) return retrying.choice().Report(config.dead_letter.queue);
  fmt::print(stderr, "iq: stopped after {} of {}; what it has not come to is still in {}\n",
             retrying.retried(), retrying.total(), config.dead_letter.queue);
  return kFailed;
}

}  // namespace iq::cli
