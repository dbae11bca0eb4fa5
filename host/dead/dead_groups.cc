#include "host/dead/dead_groups.h"

#include <algorithm>

#include "host/base/rfc3339.h"

namespace iq {

void DeadGroups::Add(const DeadLetter& letter) {
  ++letters_;
  Group& group = groups_[{letter.code, letter.type, letter.plugin}];
  ++group.count;
  const auto time = ParseRfc3339(letter.at);
  if (!time) return;
  if (!group.first || *time < group.first->time) group.first = Moment{*time, letter.at};
  if (!group.last || *time > group.last->time) group.last = Moment{*time, letter.at};
}

std::vector<DeadGroup> DeadGroups::Sorted() const {
  std::vector<DeadGroup> sorted;
  sorted.reserve(groups_.size());
  for (const auto& [key, group] : groups_) {
    const auto& [code, type, plugin] = key;
    sorted.push_back({code, type, plugin, group.count, group.first ? group.first->text : "",
                      group.last ? group.last->text : ""});
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const DeadGroup& a, const DeadGroup& b) { return a.count > b.count; });
  return sorted;
}

}  // namespace iq
