// The host's side of the ABI: what a plugin's calls act on, and the table of functions it is given.
#pragma once

#include <iq/abi.h>

#include <chrono>
#include <exception>
#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "host/base/log.h"
#include "host/command.h"
#include "host/store/store.h"

namespace iq {

// What a plugin sees as the time. Called from any worker's thread.
using WallClock = std::function<std::chrono::system_clock::time_point()>;

}  // namespace iq

struct iq_rows {
  iq::Rows rows;
  std::size_t next = 0;
};

// One command being handled; lives for one call of the handler.
struct iq_context {
  struct Emitted {
    std::string name;
    std::string data;         // A JSON object.
    std::string occurred_at;  // RFC 3339.
  };

  iq_context(iq::Session& session_in, const iq::Command& command_in, std::string_view plugin_in,
             std::chrono::steady_clock::time_point deadline_in, const iq::WallClock& clock_in)
      : session(session_in),
        command(command_in),
        plugin(plugin_in),
        deadline(deadline_in),
        clock(clock_in) {}

  iq::Session& session;
  const iq::Command& command;
  std::string_view plugin;
  std::chrono::steady_clock::time_point deadline;
  const iq::WallClock& clock;

  std::string code;
  std::string reason;
  std::string last_error;
  std::exception_ptr failure;  // What the session threw, if it did.
  std::string refusal;         // Why a statement was not allowed, if one was not.
  bool late = false;           // A call came after the deadline.
  std::vector<Emitted> events;
  std::list<iq_rows> results;  // A plugin keeps their addresses.
};

struct iq_plan {
  iq::LockKeys keys;
  std::string code;
  std::string reason;
};

namespace iq {

// Of all contexts: the same table serves every plugin.
const iq_core& CoreServices();

void DescribeContext(const iq_context& context, log::About* about);

// Now, as RFC 3339 in UTC with microseconds.
std::string Rfc3339Now();

}  // namespace iq
