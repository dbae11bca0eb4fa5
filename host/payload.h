// A command's body: JSON, read strictly.
//
// One document, an object at its root, valid UTF-8, at most kDepthMax levels deep. A duplicate key,
// a BOM, anything after the document, a lone surrogate or a NUL character is refused.
#pragma once

#include <iq/abi.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace iq {

// code() is "malformed", or "schema" for a document that is JSON but cannot be a command.
class PayloadError : public std::runtime_error {
 public:
  PayloadError(std::string code, const std::string& what)
      : std::runtime_error(what), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

class Payload {
 public:
  static constexpr int kDepthMax = 32;
  static constexpr std::size_t kKeyBytesMax = 1024;

  // Throws PayloadError.
  static Payload Parse(std::string_view text);

  Payload(Payload&&) noexcept;
  Payload& operator=(Payload&&) noexcept;
  ~Payload();

  const nlohmann::json& root() const;

  // The string at the root's `key`, or nullptr where there is none.
  const std::string* RootText(const char* key) const;

  // An empty array at the root's `key` becomes an empty object: PHP encodes both alike.
  void ReadEmptyArrayAsObject(const char* key);

  // The two below are iq_core's command_get and command_decimal: see sdk/iq/abi.h. Values point
  // into this object. A bare array element with a fraction is no decimal: its digits are not kept.
  iq_rc Get(std::string_view path, iq_value* out) const;
  iq_rc GetDecimal(std::string_view path, std::uint32_t scale, std::int64_t* out) const;

 private:
  struct Document;
  explicit Payload(std::unique_ptr<Document> document);
  std::unique_ptr<Document> document_;
};

// The decimal number `text` (digits, at most one point between digits, an optional leading minus)
// times 10^scale, exactly. Empty when it is none, has more than `scale` decimals or does not fit.
std::optional<std::int64_t> ParseDecimal(std::string_view text, std::uint32_t scale);

}  // namespace iq
