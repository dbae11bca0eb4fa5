// A JSON Schema (draft 7), compiled once and asked for each command.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace iq {

// Not thread-safe: one per worker, as the compiled patterns are cached inside.
class Schema {
 public:
  // A string longer than this fails every `pattern`: the regular expressions of the standard
  // library recurse once per character and would overflow the stack.
  static constexpr int kPatternCharactersMax = 1024;

  // Throws std::invalid_argument when `text` is not a schema.
  explicit Schema(std::string_view text);
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;
  ~Schema();

  // What is wrong with `document`, in one sentence that names the place; empty when nothing is.
  std::optional<std::string> Fault(const nlohmann::json& document) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace iq
