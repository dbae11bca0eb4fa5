// How far a long piece of work is, on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace iq::cli {

// One line on stderr, written over itself now and then and gone at the end. Nothing where stderr is
// no terminal.
class Progress {
 public:
  // `doing` is what the count counts: "sent". `total` of 0 is unknown.
  Progress(std::string doing, std::uint64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void Show(std::uint64_t count);

  // Takes the line away until the next Show(): something else is to be printed.
  void Hide();

 private:
  using Clock = std::chrono::steady_clock;

  std::string doing_;
  std::uint64_t total_;
  bool terminal_;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace iq::cli
