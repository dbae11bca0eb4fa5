// Many commands that each must take effect exactly once, and the means to see that they did.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/installation.h"

namespace iq::test {

struct LoadOptions {
  std::string type = "income";
  std::string details = "{}";
  std::int64_t each = 1000;  // What one command adds to a balance, in thousandths.
  std::size_t users = 10;
};

// Opens accounts of its own. Not thread-safe.
class Load {
 public:
  explicit Load(Installation& iq, LoadOptions options = {});

  // Publishes `count` more commands with ids, to the users in turn; returns when the broker has
  // them.
  void Publish(std::size_t count);

  std::size_t published() const { return ids_.size(); }
  std::size_t Journalled();
  // Waits until so many are in the journal.
  bool Reaches(std::size_t count, std::chrono::milliseconds deadline);

  // Each took effect once and only once, its event was seen, nothing died, nothing is left in a
  // queue or waits in a host.
  void ExpectEachOnce(std::chrono::seconds deadline);
  // The same of a part: those that are in the journal.
  void ExpectEffectsOf(std::size_t count);

  // Takes events until one of each of `count` commands was seen or the deadline has passed; copies
  // of an event must be alike. Returns how many commands were seen.
  std::size_t SeeEvents(std::size_t count, std::chrono::seconds deadline);

  // Takes those that have come, too; returns how many were taken altogether, copies included.
  std::size_t SeeWaitingEvents();

 private:
  void SeeNextEvents(std::size_t count);

  Installation& iq_;
  LoadOptions options_;
  std::vector<std::int64_t> users_;
  std::vector<std::string> ids_;
  std::map<std::string, std::string> events_;  // Bodies by event id.
  std::set<std::string> commands_with_event_;
  std::size_t events_taken_ = 0;
};

}  // namespace iq::test
