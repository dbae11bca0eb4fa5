// Dead letters by what they died of.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "host/cli/dead_filter.h"
#include "host/cli/table.h"

namespace iq::cli {

struct DeadLetter;

// Counts letters by code, type and plugin.
class DeadGroups {
 public:
  void Add(const DeadLetter& letter);

  std::int64_t letters() const { return letters_; }

  // A row for each group, the largest first, with when its first and its last letter died.
  Table AsTable() const;

 private:
  struct Moment {
    DeadFilter::Time time;
    std::string text;
  };
  struct Group {
    std::int64_t count = 0;
    std::optional<Moment> first;  // Of those that say when.
    std::optional<Moment> last;
  };
  using Key = std::tuple<std::string, std::string, std::string>;

  std::map<Key, Group> groups_;
  std::int64_t letters_ = 0;
};

}  // namespace iq::cli
