// One dead letter goes back with another body.
//
// The letter is not held while somebody writes that body, which may take hours: it is looked up
// again afterwards.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "host/broker/broker.h"
#include "host/config.h"
#include "host/dead/dead_letter.h"
#include "host/dead/dead_retrier.h"

namespace iq {

// Why nothing was done.
class NotEdited : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The letter that goes by `name`, which may be its hash, and by `hash_name` unless that is empty;
// the first of several that are alike; nothing where there is none. Throws NotEdited where there
// are several that differ: each goes by its hash as well. Throws Unavailable, and
// std::runtime_error where there is no dead-letter queue.
std::optional<DeadLetter> FindDeadLetter(const Config& config, Broker& broker,
                                         const std::string& name,
                                         const std::string& hash_name = {});

// Retries `letter` with `body`, signed anew where it was signed and there is a key. Throws
// NotEdited where it has left the queue, which takes two seconds to tell, or where the host would
// not take that body under this id: nothing was changed then. Throws as DeadRetrier::Retry and
// DeadWalk::Remove do.
RetriedLetter RetryEdited(const Config& config, Broker& broker, const DeadLetter& letter,
                          const std::string& body);

}  // namespace iq
