// The parameters of one statement in PostgreSQL's text format, whose types the server infers.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <iq/abi.h>

namespace iq {

// Not thread-safe; meant to be kept and refilled, so that it seldom allocates.
class Parameters {
 public:
  // Replaces the contents by a copy of `args`. Throws StoreError for a text with a NUL byte, which
  // PostgreSQL cannot hold, and for an unknown type.
  void Set(std::span<const iq_value> args);

  // NUL-terminated texts, null for NULL. Valid until the next Set.
  const char* const* values() const { return values_.data(); }
  int count() const { return static_cast<int>(values_.size()); }
  std::size_t bytes() const { return text_.size(); }

 private:
  void Append(const iq_value& value, std::size_t position);

  std::string text_;
  std::vector<std::size_t> starts_;
  std::vector<const char*> values_;
};

}  // namespace iq
