#include "host/dead/dead_filter.h"

#include <algorithm>

#include "host/base/rfc3339.h"

namespace iq {
namespace {

bool IsOneOf(const std::vector<std::string>& wanted, const std::string& word) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), word) != wanted.end();
}

}  // namespace

bool DeadFilter::Takes(const DeadLetter& letter) const {
  if (!IsOneOf(codes, letter.code) || !IsOneOf(types, letter.type) ||
      !IsOneOf(plugins, letter.plugin)) {
    return false;
  }
  if (!since && !until) return true;
  const auto at = ParseRfc3339(letter.at);
  return at && (!since || *at >= *since) && (!until || *at < *until);
}

}  // namespace iq
