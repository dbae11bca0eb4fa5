/* abi.h is C99, and its layout on 64-bit machines is what every plugin out there was built with: a
 * line here may be added, never changed. */
#include <iq/abi.h>

#define CHECK_JOIN_(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN_(a, b)
#define CHECK(condition) typedef char CHECK_JOIN(check_, __LINE__)[(condition) ? 1 : -1]
#define AT(type, field, offset) CHECK(offsetof(type, field) == (offset))

CHECK(sizeof(iq_str) == 16);
AT(iq_str, ptr, 0);
AT(iq_str, len, 8);

CHECK(sizeof(iq_value) == 24);
AT(iq_value, type, 0);
AT(iq_value, reserved, 4);
AT(iq_value, u, 8);
AT(iq_value, u.array.items, 8);
AT(iq_value, u.array.count, 16);

CHECK(sizeof(iq_rc) == 4);
CHECK(sizeof(iq_outcome) == 4);

CHECK(sizeof(iq_command) == 112);
AT(iq_command, struct_size, 0);
AT(iq_command, attempt, 4);
AT(iq_command, attempts_max, 8);
AT(iq_command, reserved, 12);
AT(iq_command, type, 16);
AT(iq_command, id, 32);
AT(iq_command, body, 48);
AT(iq_command, correlation_id, 64);
AT(iq_command, traceparent, 80);
AT(iq_command, timestamp_us, 96);
AT(iq_command, document, 104);

CHECK(sizeof(iq_core) == 104);
AT(iq_core, struct_size, 0);
AT(iq_core, minor, 4);
AT(iq_core, command_get, 8);
AT(iq_core, command_decimal, 16);
AT(iq_core, plan_lock, 24);
AT(iq_core, plan_fail, 32);
AT(iq_core, fail, 40);
AT(iq_core, query, 48);
AT(iq_core, execute, 56);
AT(iq_core, row_next, 64);
AT(iq_core, emit, 72);
AT(iq_core, last_error, 80);
AT(iq_core, now_us, 88);
AT(iq_core, time_left_us, 96);

CHECK(sizeof(iq_host) == 64);
AT(iq_host, struct_size, 0);
AT(iq_host, abi_major, 4);
AT(iq_host, abi_minor, 8);
AT(iq_host, reserved, 12);
AT(iq_host, version, 16);
AT(iq_host, core, 32);
AT(iq_host, log, 40);
AT(iq_host, setting, 48);
AT(iq_host, get_service, 56);

CHECK(sizeof(iq_command_type) == 80);
AT(iq_command_type, struct_size, 0);
AT(iq_command_type, flags, 4);
CHECK(IQ_BATCH_SHARES_KEYS == 1u);
AT(iq_command_type, type, 8);
AT(iq_command_type, schema, 24);
AT(iq_command_type, create, 40);
AT(iq_command_type, destroy, 48);
AT(iq_command_type, plan, 56);
AT(iq_command_type, handle, 64);
AT(iq_command_type, handle_batch, 72);

CHECK(sizeof(iq_plugin) == 88);
AT(iq_plugin, struct_size, 0);
AT(iq_plugin, abi_major, 4);
AT(iq_plugin, abi_minor_least, 8);
AT(iq_plugin, abi_minor_built, 12);
AT(iq_plugin, name, 16);
AT(iq_plugin, version, 32);
AT(iq_plugin, commands, 48);
AT(iq_plugin, command_count, 56);
AT(iq_plugin, reserved, 60);
AT(iq_plugin, init, 64);
AT(iq_plugin, shutdown, 72);
AT(iq_plugin, get_extension, 80);

CHECK(sizeof(iq_manifest) == 32);
AT(iq_manifest, owner_size, 0);
AT(iq_manifest, content_size, 4);
AT(iq_manifest, type, 8);
AT(iq_manifest, owner, 12);
AT(iq_manifest, abi_major, 16);
AT(iq_manifest, abi_minor_least, 20);
AT(iq_manifest, abi_minor_built, 24);
AT(iq_manifest, reserved, 28);

IQ_PLUGIN_NOTE("abi_c99", "1.0.0", "one" "\0" "two");

/* IQ_HAS as plain C sees it. */
int abi_c99_has_time_left(const iq_core *core) { return IQ_HAS(core, time_left_us) ? 1 : 0; }
