#include "host/cli/input_lines.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace iq::cli {

std::optional<std::string> InputLines::Next(std::chrono::milliseconds wait) {
  if (auto line = Take()) return line;
  if (!ended_) Read(wait);
  return Take();
}

void InputLines::Read(std::chrono::milliseconds wait) {
  pollfd input{fd_, POLLIN, 0};
  if (poll(&input, 1, static_cast<int>(wait.count())) <= 0) return;
  constexpr std::size_t kChunk = 65536;
  std::array<char, kChunk> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
  const ssize_t count = read(fd_, chunk.data(), chunk.size());
  if (count < 0) {
    if (errno == EINTR || errno == EAGAIN) return;
    throw std::system_error(errno, std::generic_category(), name_);
  }
  if (count == 0) ended_ = true;
  buffer_.erase(0, start_);
  searched_ -= start_;
  start_ = 0;
  buffer_.append(chunk.data(), static_cast<std::size_t>(count));
}

std::optional<std::string> InputLines::Take() {
  auto end = buffer_.find('\n', searched_);
  if (end == std::string::npos) {
    searched_ = buffer_.size();
    if (!ended_ || start_ == buffer_.size()) return std::nullopt;
    end = buffer_.size();
  }
  std::string line = buffer_.substr(start_, end - start_);
  start_ = searched_ = std::min(end + 1, buffer_.size());
  ++number_;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

}  // namespace iq::cli
