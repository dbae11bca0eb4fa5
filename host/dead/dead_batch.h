// Dead letters in hand: so many that what is done to all of them at once pays, and so few that it
// matters little where it is done twice.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "host/dead/dead_letter.h"

namespace iq {

class DeadBatch {
 public:
  void Add(DeadLetter letter);
  void Clear();

  bool empty() const { return letters_.empty(); }
  bool full() const;
  std::span<const DeadLetter> letters() const { return letters_; }

 private:
  std::vector<DeadLetter> letters_;
  std::size_t bytes_ = 0;
};

}  // namespace iq
