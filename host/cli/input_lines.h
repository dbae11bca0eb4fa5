// Lines from a pipe or a terminal, taken as they come.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace iq::cli {

// Not thread-safe.
class InputLines {
 public:
  // Reads the descriptor `fd`, which stays the caller's. `name` is for messages to people.
  InputLines(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  // The next line without its end, waiting for it for at most `wait`. Empty when none came, or at
  // the end. Throws std::system_error.
  std::optional<std::string> Next(std::chrono::milliseconds wait);

  bool ended() const { return ended_ && start_ == buffer_.size(); }

  // Of the last line that was given, from 1.
  std::uint64_t number() const { return number_; }

  // "NAME:NUMBER".
  std::string place() const { return name_ + ':' + std::to_string(number_); }

 private:
  void Read(std::chrono::milliseconds wait);
  std::optional<std::string> Take();

  int fd_;
  std::string name_;
  std::string buffer_;
  std::size_t start_ = 0;     // Of the next line in buffer_.
  std::size_t searched_ = 0;  // From start_ to here there is no end of a line.
  std::uint64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace iq::cli
