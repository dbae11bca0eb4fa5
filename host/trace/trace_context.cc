#include "host/trace/trace_context.h"

#include "host/base/uuid.h"

namespace iq {
namespace {

// VERSION-TRACE-PARENT-FLAGS: 2, 32, 16 and 2 digits.
constexpr std::size_t kBytes = 55;
constexpr std::size_t kSpanIdBytes = 16;

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

// 122 random bits, never all zero: a UUID of version 4 has some bits that are always set, in each
// of its halves.
std::string RandomDigits() {
  std::string digits = RandomUuid();
  std::erase(digits, '-');
  return digits;
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view text) {
  if (text.size() < kBytes || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace_id = text.substr(3, 32);
  const std::string_view parent_id = text.substr(36, kSpanIdBytes);
  const std::string_view flags = text.substr(53, 2);
  if (!IsHex(version) || !IsHex(trace_id) || !IsHex(parent_id) || !IsHex(flags)) {
    return std::nullopt;
  }
  if (version == "ff" || IsZero(trace_id) || IsZero(parent_id)) return std::nullopt;
  const bool goes_on = text.size() > kBytes;
  if (goes_on && (version == "00" || text[kBytes] != '-')) return std::nullopt;
  constexpr std::string_view kOddDigits = "13579bdf";  // The lowest bit says sampled.
  const bool sampled = kOddDigits.find(flags.back()) != std::string_view::npos;
  return TraceContext{std::string(trace_id), std::string(parent_id), sampled};
}

TraceContext NewTrace() { return {RandomDigits(), {}, true}; }

std::string NewSpanId() { return RandomDigits().substr(kSpanIdBytes); }

}  // namespace iq
