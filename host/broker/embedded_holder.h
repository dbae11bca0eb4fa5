// Who holds deliveries, and whether they still live.
//
// A consumer or browser has a number in the file and holds the byte of that number in a LockFile
// beside it. The kernel frees the byte when the process dies: whoever finds a number without its
// byte held gives back what it had. Numbers are drawn at random: nobody has the same one in another
// file that comes to the same place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/lock_file.h"
#include "host/broker/embedded_routes.h"
#include "host/sqlite/database.h"

namespace iq::embedded {

// The LockFile of `database`: beside the file itself, by whatever link it was opened.
std::string LockPath(const sqlite::Database& database);

// A number of one's own for as long as this lives. Not thread-safe.
class Holder {
 public:
  // Takes a number, in a transaction of its own. Throws Unavailable.
  explicit Holder(sqlite::Database& database);

  std::int64_t number() const { return number_; }
  const LockFile& locks() const { return locks_; }

  // False where the file does not know the number (any more): what it had is given back.
  bool KnownTo(sqlite::Database& database) const;

 private:
  LockFile locks_;
  std::int64_t number_ = 0;
};

// Which queue a holder consumes: it counts among the queue's consumers. Within a transaction.
void NoteQueue(std::int64_t holder, std::optional<std::int64_t> queue, sqlite::Database& database);

// The numbers whose holder is gone; none while `locks` are not those of the file at their path.
// `own` is the caller's number, or 0. Needs no transaction.
std::vector<std::int64_t> DeadHolders(const LockFile& locks, std::int64_t own,
                                      sqlite::Database& database);

// Those that consume the queue and live. Needs no transaction.
std::uint64_t CountConsumers(std::int64_t queue, const LockFile& locks, sqlite::Database& database);

// Gives back what the holder had, in place and marked as redelivered, and removes it and the queues
// that were its own. Within a transaction.
void Bury(std::int64_t holder, sqlite::Database& database);

// What is due is moved, and what the dead had is given back: what every one who looks into the
// queues does first. In transactions of its own.
void TidyUp(const LockFile& locks, std::int64_t own, Routes& routes, sqlite::Database& database);

}  // namespace iq::embedded
