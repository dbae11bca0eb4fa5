// The host's log: one line per record on stderr, text for a terminal and JSON otherwise.
// Never give it a command's body or a secret.
#pragma once

#include <string_view>

namespace iq::log {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class Format { kText, kJson };

// The command a record speaks of. Empty fields are left out of the line.
struct About {
  std::string_view id{};
  std::string_view type{};
  std::string_view plugin{};
  std::string_view trace_id{};
};

// Call once, before the first thread starts. Until then records of kWarn and above appear as text.
void Start(Level least, Format format);

// Thread-safe. `message` may hold any bytes: control characters are escaped. A failing write is
// swallowed: a full disk must not fail a command.
void Write(Level level, std::string_view message, const About& about = {});

inline void Debug(std::string_view message, const About& about = {}) {
  Write(Level::kDebug, message, about);
}
inline void Info(std::string_view message, const About& about = {}) {
  Write(Level::kInfo, message, about);
}
inline void Warn(std::string_view message, const About& about = {}) {
  Write(Level::kWarn, message, about);
}
inline void Error(std::string_view message, const About& about = {}) {
  Write(Level::kError, message, about);
}

}  // namespace iq::log
