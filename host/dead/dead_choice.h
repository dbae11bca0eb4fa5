// Which of the letters that come by are chosen, and which of the names given were never met.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "host/dead/dead_letter.h"
#include "host/dead/dead_selection.h"

namespace iq {

class DeadChoice {
 public:
  explicit DeadChoice(const DeadSelection& selection)
      : all_(selection.all),
        filter_(selection.filter),
        wanted_(selection.ids.begin(), selection.ids.end()) {}

  // Counts the letter. Ask once for each.
  bool Takes(const DeadLetter& letter);

  std::uint64_t seen() const { return seen_; }
  std::uint64_t taken() const { return taken_; }

  // The names given by which no letter was taken so far.
  std::vector<std::string> unmet() const;

  bool has_names() const { return !wanted_.empty(); }
  bool has_filter() const { return !filter_.empty(); }

 private:
  bool IsWanted(const DeadLetter& letter);

  bool all_;
  DeadFilter filter_;
  std::set<std::string> wanted_;
  std::set<std::string> met_;
  std::uint64_t seen_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace iq
