#include "host/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace iq::cli {
namespace {

// What takes less needs no progress.
constexpr std::chrono::milliseconds kFirstAfter{500};
constexpr std::chrono::milliseconds kEvery{200};
constexpr const char* kEraseLine = "\r\x1b[K";

}  // namespace

Progress::Progress(std::string doing, std::uint64_t total)
    : doing_(std::move(doing)),
      total_(total),
      terminal_(isatty(STDERR_FILENO) != 0),
      next_(Clock::now() + kFirstAfter) {}

Progress::~Progress() { Hide(); }

void Progress::Hide() {
  if (!shown_) return;
  std::fputs(kEraseLine, stderr);
  std::fflush(stderr);
  shown_ = false;
}

void Progress::Show(std::uint64_t count) {
  if (!terminal_ || Clock::now() < next_) return;
  next_ = Clock::now() + kEvery;
  shown_ = true;
  const std::string of_total = total_ == 0 ? "" : fmt::format(" of {}", total_);
  std::fputs(fmt::format("{}{}{} {}", kEraseLine, count, of_total, doing_).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace iq::cli
