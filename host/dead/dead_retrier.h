// How dead letters go back to the queues they came from. Stopped anywhere, it loses nothing: what
// it has published is confirmed before the caller takes the letter out of the dead-letter queue.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "host/broker/confirmed_sender.h"
#include "host/config.h"
#include "host/dead/dead_letter.h"
#include "host/dead/dead_targets.h"
#include "host/store/store.h"

namespace iq {

// What was done about a letter. The first three are as in DeadLetter.
struct RetriedLetter {
  std::string name;
  std::string type;
  std::string journal_uuid;
  std::string queue;                 // Where it went.
  bool journal_row_removed = false;  // The one of journal_uuid, for the first of its letters.
};

// Not thread-safe. Every call throws Unavailable.
class DeadRetrier {
 public:
  // `config` and `broker` must outlive it.
  DeadRetrier(const Config& config, Broker& broker);

  // Removes the journal's rows of those that were rejected, and logs that, publishes a copy of each
  // in their order and returns when all are confirmed, with what was done about each. Throws
  // std::runtime_error as DeadTargets does, before anything is changed.
  std::vector<RetriedLetter> Retry(std::span<const DeadLetter> letters);

  // Whether the journal would still know the letter's id, by a command with another body: the host
  // would then refuse the letter.
  bool WouldConflict(const DeadLetter& letter);

 private:
  // What the journal said of the rejected ones among some letters, by its keys.
  struct Rejections {
    std::map<std::string, std::size_t> events;  // How many event ids are used.
    std::set<std::string> removed;
  };
  Rejections RemoveRejections(std::span<const DeadLetter> letters);
  Message CopyOf(const DeadLetter& letter, const Rejections& rejections) const;
  void Rejuvenate(const DeadLetter& letter, Message& message) const;

  const Config& config_;
  DeadTargets targets_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Session> session_;
  ConfirmedSender sender_;
};

}  // namespace iq
