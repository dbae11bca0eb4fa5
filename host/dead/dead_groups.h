// Dead letters by what they died of.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "host/dead/dead_filter.h"
#include "host/dead/dead_letter.h"

namespace iq {

// Letters of one code, type and plugin.
struct DeadGroup {
  std::string code;
  std::string type;
  std::string plugin;
  std::int64_t count = 0;
  std::string first;  // When the first of those died that say when; empty where none does.
  std::string last;
};

// Counts letters by code, type and plugin.
class DeadGroups {
 public:
  void Add(const DeadLetter& letter);

  std::int64_t letters() const { return letters_; }

  // The largest first.
  std::vector<DeadGroup> Sorted() const;

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

}  // namespace iq
