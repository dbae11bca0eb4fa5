#include "host/cli/dead_groups.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "host/base/rfc3339.h"
#include "host/cli/dead_walk.h"

namespace iq::cli {

void DeadGroups::Add(const DeadLetter& letter) {
  ++letters_;
  Group& group = groups_[{letter.code, letter.type, letter.plugin}];
  ++group.count;
  const auto time = ParseRfc3339(letter.at);
  if (!time) return;
  if (!group.first || *time < group.first->time) group.first = Moment{*time, letter.at};
  if (!group.last || *time > group.last->time) group.last = Moment{*time, letter.at};
}

Table DeadGroups::AsTable() const {
  using Entry = std::pair<Key, Group>;
  std::vector<Entry> entries(groups_.begin(), groups_.end());
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.second.count > b.second.count; });
  Table table({"code", "type", "plugin", "count", "first", "last"});
  for (const auto& [key, group] : entries) {
    const auto& [code, type, plugin] = key;
    table.Add({code, type, plugin, group.count, group.first ? group.first->text : "",
               group.last ? group.last->text : ""});
  }
  return table;
}

}  // namespace iq::cli
