// Locks as bytes of a file, for the processes of one machine.
//
// The kernel keeps them and frees those of a process that dies, at once. So a lock is held for as
// long as its holder wants: there is no lease that could run out. What can end it is that somebody
// removes the file; Renew looks for that.
#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "host/base/error.h"
#include "host/base/lock_file.h"
#include "host/base/outage.h"
#include "host/locks/open.h"

namespace iq {
namespace {

std::string NameOf(const std::string& path) { return fmt::format("local lock file {}", path); }

// 63 bits of the key's SHA-256. Two keys that share a place merely wait for each other.
std::uint64_t PlaceOf(const std::string& key) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  std::uint64_t place = 0;
  for (std::size_t i = 0; i < sizeof place; ++i) place = place << 8U | digest.at(i);
  return place >> 1U;
}

class LocalLocks final : public Locks {
 public:
  explicit LocalLocks(const std::string& path) : path_(path), outage_(NameOf(path)) {}

  std::vector<bool> TryAcquire(std::span<const LockKeys> sets) override;
  bool Renew() override { return held_.empty() || file_->InPlace(); }
  void StartRelease() override;
  void FinishRelease() override {}
  Clock::time_point expires_at() const override {
    return held_.empty() ? Clock::time_point::max() : Clock::time_point{};
  }
  std::chrono::milliseconds UntilNextAttempt() const override { return outage_.UntilNextAttempt(); }

 private:
  // Throws Unavailable where the locks that are held are not those of the file at the path; the
  // next call opens that one.
  void RequireFile();
  // All of `set` or nothing of it. While a set is tried, those of its keys that are free look busy
  // to others for a moment, even where it is not taken in the end.
  bool Take(const LockKeys& set);

  std::string path_;
  Outage outage_;
  std::string last_failure_;
  std::optional<LockFile> file_;  // Opened at first use.
  std::set<std::uint64_t> held_;  // Places, also those taken by a call that then failed.
};

std::vector<bool> LocalLocks::TryAcquire(std::span<const LockKeys> sets) {
  if (sets.empty()) return {};
  if (outage_.UntilNextAttempt().count() > 0) throw Unavailable(last_failure_);
  std::vector<bool> taken;
  taken.reserve(sets.size());
  try {
    RequireFile();
    for (const LockKeys& set : sets) taken.push_back(Take(set));
  } catch (const Unavailable& failure) {
    last_failure_ = failure.what();
    outage_.Failed(last_failure_);
    throw;
  }
  outage_.Ended();
  return taken;
}

void LocalLocks::RequireFile() {
  if (!file_) file_.emplace(path_);
  if (file_->InPlace()) return;
  held_.clear();
  file_.reset();
  throw Unavailable(
      fmt::format("lock file {}: it was removed or replaced while it was in use; leave it where it "
                  "is while any host runs",
                  path_));
}

bool LocalLocks::Take(const LockKeys& set) {
  std::vector<std::uint64_t> added;
  for (const std::string& key : set) {
    const std::uint64_t place = PlaceOf(key);
    if (held_.contains(place)) continue;
    if (file_->TryLock(place)) {
      held_.insert(place);
      added.push_back(place);
      continue;
    }
    for (const std::uint64_t each : added) {
      file_->Unlock(each);
      held_.erase(each);
    }
    return false;
  }
  return true;
}

void LocalLocks::StartRelease() {
  if (held_.empty()) return;
  file_->UnlockAll();
  held_.clear();
}

class LocalLockService final : public LockService {
 public:
  explicit LocalLockService(std::string path) : path_(std::move(path)) {}

  std::string name() const override { return NameOf(path_); }
  std::unique_ptr<Locks> Open() override { return std::make_unique<LocalLocks>(path_); }

 private:
  std::string path_;
};

}  // namespace

std::unique_ptr<LockService> OpenLocalLocks(const std::string& path) {
  return std::make_unique<LocalLockService>(path);
}

}  // namespace iq
