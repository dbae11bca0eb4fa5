// What the verbs of `iq dead` say of letters.
#pragma once

#include <string>

#include "host/cli/table.h"
#include "host/dead/dead_choice.h"
#include "host/dead/dead_groups.h"
#include "host/dead/dead_letter.h"
#include "host/dead/dead_retrier.h"

namespace iq::cli {

// To stdout and, where a journal row was removed, to stderr.
void PrintRetried(const RetriedLetter& retried, bool json);

// To stdout.
void PrintDropped(const DeadLetter& letter, bool json);

// A row for each group.
Table GroupsTable(const DeadGroups& groups);

// Says on stderr that `queue` holds no letter of this name.
void PrintUnmet(const std::string& queue, const std::string& name, bool filtered);

// Says on stderr which names were not met, kFailed where there is one; and where there were
// letters but none was chosen.
int ReportChoice(const DeadChoice& choice, const std::string& queue);

}  // namespace iq::cli
