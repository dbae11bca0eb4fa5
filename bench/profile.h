// Where the CPU time of a contender goes: perf (Debian's linux-perf) looks on as it runs.
#pragma once

#include <string>
#include <vector>

#include "bench/contender.h"

namespace iq::bench {

// The same contender with perf beside it, which writes what it has seen to the file `data` until
// the contender ends. Of one process only.
Contender Profiled(Contender contender, const std::string& data);

struct CpuShare {
  std::string percent;  // Of the samples: "12.34%".
  std::string object;   // The program, a library or "[kernel.kallsyms]".
  std::string symbol;   // Empty where the object as a whole is meant.
};

// The greatest first. Waits up to ten seconds for perf to end its file. Throws std::runtime_error
// where there is nothing to read.
std::vector<CpuShare> SharesByObject(const std::string& data);
std::vector<CpuShare> SharesBySymbol(const std::string& data);

}  // namespace iq::bench
