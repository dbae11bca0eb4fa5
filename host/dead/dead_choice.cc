#include "host/dead/dead_choice.h"

#include <algorithm>
#include <iterator>

namespace iq {

bool DeadChoice::Takes(const DeadLetter& letter) {
  ++seen_;
  if (!filter_.Takes(letter) || !IsWanted(letter)) return false;
  ++taken_;
  return true;
}

std::vector<std::string> DeadChoice::unmet() const {
  std::vector<std::string> names;
  std::set_difference(wanted_.begin(), wanted_.end(), met_.begin(), met_.end(),
                      std::back_inserter(names));
  return names;
}

bool DeadChoice::IsWanted(const DeadLetter& letter) {
  if (wanted_.empty()) return all_ || !filter_.empty();
  for (const std::string& name : {letter.name, letter.hash_name}) {
    if (!wanted_.contains(name)) continue;
    met_.insert(name);
    return true;
  }
  return false;
}

}  // namespace iq
