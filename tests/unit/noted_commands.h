// Commands for unit tests, such as the recorder notes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/base/uuid.h"
#include "host/command.h"

namespace iq {

using Commands = std::vector<const Command*>;

inline std::unique_ptr<Command> MakeCommand(const std::string& id,
                                            std::uint32_t first_event_index = 0) {
  auto command = std::make_unique<Command>(Payload::Parse("{}"));
  command->id = id;
  command->has_id = true;
  command->uuid = UuidOfMessageId(id);
  command->first_event_index = first_event_index;
  return command;
}

// How often `part` is in `text`, what was logged.
inline std::size_t Count(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace iq
