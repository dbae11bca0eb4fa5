// Those who look at the page while a contender works.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace iq::bench {

// Each reads the stream that one open page reads, from its construction to its end; asks again
// where nobody answers.
class Watchers {
 public:
  Watchers(int port, std::size_t count);
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;
  ~Watchers();

  // What they have been told, all together.
  std::uint64_t bytes() const { return bytes_; }

 private:
  void Watch(int port);

  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> bytes_{0};
  std::vector<std::thread> threads_;
};

}  // namespace iq::bench
