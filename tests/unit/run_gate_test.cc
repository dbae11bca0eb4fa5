#include "host/run_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace iq {
namespace {

TEST(RunGate, WhoWantsToBeAloneIsAlone) {
  RunGate gate;
  std::atomic<int> inside{0};
  std::atomic<bool> alone{false};
  std::atomic<int> wrong{0};
  std::atomic<int> times_alone{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 2000; ++round) {
        const bool wants_alone = i == 0 || (i == 1 && round % 2 == 0);
        const RunGate::Pass pass(
            gate, wants_alone ? RunGate::Company::kAlone : RunGate::Company::kOthers);
        const int others = inside++;
        if (wants_alone ? others != 0 : alone.load()) ++wrong;
        if (wants_alone) {
          alone = true;
          ++times_alone;
          std::this_thread::yield();
          if (inside != 1) ++wrong;
          alone = false;
        }
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(times_alone, 3000);
}

}  // namespace
}  // namespace iq
