#include "host/cli/dead_report.h"

#include <fmt/format.h>

#include <cstdio>

#include "host/base/terminal_text.h"
#include "host/cli/verbs.h"

namespace iq::cli {

void PrintRetried(const RetriedLetter& retried, bool json) {
  if (retried.journal_row_removed) {
    fmt::print(stderr, "removed the rejection of {} from the journal\n", retried.journal_uuid);
  }
  if (json) {
    Print(RecordJson({{"id", retried.name},
                      {"type", retried.type},
                      {"queue", retried.queue},
                      {"journalRowRemoved", retried.journal_row_removed}}));
    return;
  }
  Print(
      fmt::format("{} back to {}{}\n", OneLine(retried.name), OneLine(retried.queue),
                  retried.journal_row_removed ? " (its rejection removed from the journal)" : ""));
}

void PrintDropped(const DeadLetter& letter, bool json) {
  Print(json ? RecordJson({{"id", letter.name},
                           {"type", letter.type},
                           {"code", letter.code},
                           {"dropped", true}})
             : fmt::format("{} dropped ({})\n", OneLine(letter.name), OneLine(letter.code)));
}

Table GroupsTable(const DeadGroups& groups) {
  Table table({"code", "type", "plugin", "count", "first", "last"});
  for (const DeadGroup& group : groups.Sorted()) {
    table.Add({group.code, group.type, group.plugin, group.count, group.first, group.last});
  }
  return table;
}

void PrintUnmet(const std::string& queue, const std::string& name, bool filtered) {
  fmt::print(stderr, "iq: {} holds no message \"{}\"{}; see `iq dead list`\n", queue, OneLine(name),
             filtered ? " that the filters let pass" : "");
}

int ReportChoice(const DeadChoice& choice, const std::string& queue) {
  const auto unmet = choice.unmet();
  for (const std::string& name : unmet) PrintUnmet(queue, name, choice.has_filter());
  if (!choice.has_names() && choice.taken() == 0 && choice.seen() > 0) {
    fmt::print(stderr, "none of the {} in {} is meant\n", choice.seen(), queue);
  }
  return unmet.empty() ? kDone : kFailed;
}

}  // namespace iq::cli
