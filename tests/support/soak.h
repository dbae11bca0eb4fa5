// `make soak` runs some tests at a size that takes too long for every day.
#pragma once

#include <cstdlib>

namespace iq::test {

// Whether IQ_SOAK is set.
inline bool Soaking() { return std::getenv("IQ_SOAK") != nullptr; }

}  // namespace iq::test
