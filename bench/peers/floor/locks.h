// The locks of a batch in Redis: keys that expire, and whose value tells whose they are.
#pragma once

#include <hiredis/hiredis.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/peers/floor/command.h"

namespace iq::bench::floor {

// Questions are sent at once and answered later, so that other servers can be asked meanwhile.
// Every failure throws std::runtime_error.
class Locks {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Locks(std::string_view url);

  // Asks for the keys of all commands, each command's together or not at all.
  void Ask(std::span<Command* const> commands);
  // For each of them whether its keys are ours now.
  std::vector<bool> Answer();
  // Whether all that is held will stay ours for long enough to commit.
  bool Safe() const;
  // Gives back all that is ours; the answer is read before the next question.
  void GiveBack();

 private:
  struct ContextFree {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  struct ReplyFree {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, ReplyFree>;

  std::string Load(std::string_view script);
  void Send(std::span<const std::string> arguments);
  Reply Read();

  std::unique_ptr<redisContext, ContextFree> context_;
  std::string take_;  // The scripts' names.
  std::string give_back_;
  std::string token_;              // Random: nobody else has it.
  std::vector<std::string> keys_;  // Those asked for, which may be ours.
  Clock::time_point asked_{};
  bool giving_back_ = false;
};

}  // namespace iq::bench::floor
