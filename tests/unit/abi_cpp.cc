// abi.h is also C++, from C++11 on: this file is compiled once for each standard.
#include <iq/abi.h>

static_assert(sizeof(iq_value) == 24, "frozen");

IQ_PLUGIN_NOTE("abi_cpp", "1.0.0", "one");

namespace {
int HasEmit(const iq_core& core) { return IQ_HAS(&core, emit) ? 1 : 0; }
}  // namespace

extern "C" int IQ_ABI_CPP_NAME(const iq_core* core) { return HasEmit(*core); }
