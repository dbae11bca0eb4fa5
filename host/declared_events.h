// The events that a plugin says it may emit: IQ_EXTENSION_EVENTS of sdk/iq/abi.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/plugin.h"

namespace iq {

struct DeclaredEvent {
  std::string name;
  std::string schema;  // JSON Schema (draft 7) of its data.
};

// Empty where it does not say. After Init. Throws std::runtime_error, a sentence that names the
// file, where what it says cannot be understood.
std::optional<std::vector<DeclaredEvent>> DeclaredEvents(const Plugin& plugin);

}  // namespace iq
