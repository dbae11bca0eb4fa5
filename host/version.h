#pragma once

#include <string_view>

namespace iq {

inline constexpr std::string_view kVersion = IQ_VERSION;

}  // namespace iq
