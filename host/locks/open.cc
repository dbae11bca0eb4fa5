#include "host/locks/open.h"

#include <string_view>

#include "host/base/error.h"

namespace iq {
namespace {

constexpr std::string_view kLocal = "local:";
constexpr std::string_view kLocalDefault = "var/iq.locks";

}  // namespace

std::unique_ptr<LockService> OpenLocks(const std::string& url, std::chrono::milliseconds lease) {
  if (lease.count() <= 0) throw UsageError("locks.lease: must be longer than 0 ms");
  if (url.starts_with(kLocal)) {
    const std::string path = url.substr(kLocal.size());
    return OpenLocalLocks(path.empty() ? std::string(kLocalDefault) : path);
  }
  if (url.starts_with("redis")) return OpenRedisLocks(url, lease);
  throw UsageError(
      "locks.url: does not begin with redis:// or local:; set IQ_LOCKS_URL, for instance to "
      "redis://127.0.0.1:6379 or local:var/iq.locks");
}

}  // namespace iq
