/* What came with 1.1, as abi_c99.c does for 1.0. */
#define IQ_USE_MINOR 1
#include <iq/abi.h>

#define CHECK_JOIN_(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN_(a, b)
#define CHECK(condition) typedef char CHECK_JOIN(check_, __LINE__)[(condition) ? 1 : -1]
#define AT(type, field, offset) CHECK(offsetof(type, field) == (offset))

CHECK(sizeof(iq_plugin) == 104);
AT(iq_plugin, get_extension, 80);
AT(iq_plugin, listeners, 88);
AT(iq_plugin, listener_count, 96);
AT(iq_plugin, reserved_2, 100);

CHECK(sizeof(iq_listener) == 72);
AT(iq_listener, struct_size, 0);
AT(iq_listener, flags, 4);
AT(iq_listener, name, 8);
AT(iq_listener, pattern, 24);
AT(iq_listener, create, 40);
AT(iq_listener, destroy, 48);
AT(iq_listener, plan, 56);
AT(iq_listener, on_event, 64);

IQ_PLUGIN_NOTE("abi_c99_minor_1", "1.0.0", "one");

int abi_c99_has_listeners(const iq_plugin *plugin) { return IQ_HAS(plugin, listeners) ? 1 : 0; }
