// Who takes part: iq itself and the programs that do the same work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/e2e/profile.h"

namespace iq::bench {

struct Contender {
  std::string name;     // "iq"
  std::string setting;  // "2 processes"
  test::ProfileName profile = test::ProfileName::kServers;
  std::vector<std::string> argv;
  std::size_t processes = 1;
  // How many commands one run of it is about, as a part of what was asked for: a slow one gets
  // fewer, so that its run takes as long as others'.
  double share = 1;

  std::string Label() const { return name + ", " + setting; }
};

Contender Iq(std::size_t processes, test::ProfileName profile = test::ProfileName::kServers);

// By name: floor, go, symfony, celery. `concurrency` is the number of processes of floor, of
// goroutines or of processes in a pool. Throws std::invalid_argument.
Contender Peer(const std::string& name, std::size_t concurrency);

}  // namespace iq::bench
