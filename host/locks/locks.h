// Leases on named keys, shared by every process that uses the same lock server or lock file.
//
// A lease spares conflicts and protects what lies outside the database. It is not what keeps money
// right: the database's constraints and the journal's key do that, even when every lease is lost.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace iq {

// Sorted, without repeats.
using LockKeys = std::vector<std::string>;

// The leases of one worker. Not thread-safe. Connects on first use and again after a loss. Every
// call but UntilNextAttempt throws Unavailable when the server is away; leases then end by
// themselves.
class Locks {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~Locks() = default;

  // For each set takes all its keys or none, in one round trip for all sets; true where taken. A
  // key that this object holds already counts as free, unless its lease has run out: then nothing
  // with that key is taken until Renew or Release.
  virtual std::vector<bool> TryAcquire(std::span<const LockKeys> sets) = 0;

  // Extends all leases held, in one round trip. False when one of them is no longer ours.
  [[nodiscard]] virtual bool Renew() = 0;

  // Gives back whatever is held, in one round trip. A key that meanwhile belongs to another is
  // left alone.
  void Release() {
    StartRelease();
    FinishRelease();
  }
  // The same in two halves, with time for something else between them: the first does not wait for
  // the server's answer (it connects where the connection was lost), and the second is the next
  // call.
  virtual void StartRelease() = 0;
  virtual void FinishRelease() = 0;

  // When the first of the leases held runs out unless renewed; Clock::time_point::max() with none.
  // Passed already where they have no term: only Renew tells whether they still hold.
  virtual Clock::time_point expires_at() const = 0;

  virtual std::chrono::milliseconds UntilNextAttempt() const = 0;
};

// Opens connections. Thread-safe.
class LockService {
 public:
  virtual ~LockService() = default;
  // "redis at HOST:PORT" or "local lock file PATH", for messages to people.
  virtual std::string name() const = 0;
  virtual std::unique_ptr<Locks> Open() = 0;
};

// `url` is redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or local:PATH for the processes of one
// machine; `local:` alone is local:var/iq.locks. `lease` is how long a key stays taken in Redis
// when its holder dies; in a file it is free at once. Throws UsageError when the URL is not one.
// Does not connect yet.
std::unique_ptr<LockService> OpenLocks(const std::string& url, std::chrono::milliseconds lease);

}  // namespace iq
