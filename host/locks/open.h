// The drivers behind OpenLocks.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "host/locks/locks.h"

namespace iq {

// `url` begins with redis://, or is refused with UsageError.
std::unique_ptr<LockService> OpenRedisLocks(const std::string& url,
                                            std::chrono::milliseconds lease);

// For the processes of one machine that name the same file.
std::unique_ptr<LockService> OpenLocalLocks(const std::string& path);

}  // namespace iq
