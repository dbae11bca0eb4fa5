// An event as a listener sees it.
#pragma once

#include <string_view>

#include <iq/command.h>

namespace iq {

// The event's document, read as a command's body is: Integer("data.userId"). A view, as a command
// is.
class Event : public Command {
 public:
  using Command::Command;

  // "balance.income"; a listener whose pattern has a wildcard gets several.
  std::string_view name() const noexcept { return type(); }
  // Of the command that emitted it.
  std::string_view command_id() const { return Text("commandId"); }
};

}  // namespace iq
