// What the log, the metrics and its plugin are told of a decided command.
#pragma once

#include "host/base/log.h"
#include "host/batch.h"

namespace iq {

// How a record names the command it is about.
log::About About(const Item& item);

// Nothing of one that is done. Of a refusal the code alone: its reason is about what the message
// says, and is in its dead letter.
void LogOutcome(const Item& item);

// In the process's metrics, the plugin's counts and its trial (host/plugin_trial.h).
// `lock_was_taken`: it waited for a lock to the last, which says nothing of its plugin.
void CountOutcome(const Item& item, bool lock_was_taken);

}  // namespace iq
