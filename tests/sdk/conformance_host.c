/* The tables themselves, settings, log; and that any thread may use them.
 *
 * Settings of the plugin, as the test gives them:
 *   plain: some text, empty: '', number: 17, nested: {deeper: {still: 'yes'}}
 *   types: {bytes: the store's name of that type, arrays: 'yes' where it takes them}
 * and other.secret, which is another plugin's.
 */
#include "conformance.h"

#include <pthread.h>
#include <stdio.h>

#define OFFERED(self, table, field) \
  expect(&(self)->found, IQ_HAS(table, field), "%s: the host offers it", #field)

static void check_core(scene* self) {
  const iq_core* const core = self->core;
  OFFERED(self, core, command_get);
  OFFERED(self, core, command_decimal);
  OFFERED(self, core, plan_lock);
  OFFERED(self, core, plan_fail);
  OFFERED(self, core, fail);
  OFFERED(self, core, query);
  OFFERED(self, core, execute);
  OFFERED(self, core, row_next);
  OFFERED(self, core, emit);
  OFFERED(self, core, last_error);
  OFFERED(self, core, now_us);
  OFFERED(self, core, time_left_us);
  expect(&self->found, core->minor >= IQ_USE_MINOR, "iq_core.minor: a lower one is not served");
}

iq_outcome check_tables(scene* self) {
  const iq_host* const host = self->host;
  check_core(self);
  OFFERED(self, host, core);
  OFFERED(self, host, log);
  OFFERED(self, host, setting);
  OFFERED(self, host, get_service);
  expect(&self->found, host->abi_major == IQ_ABI_MAJOR, "abi_major: the one this plugin speaks");
  expect(&self->found, host->abi_minor >= IQ_USE_MINOR,
         "abi_minor: a host of a lower minor refuses the plugin");
  expect(&self->found, host->version.len > 0 && host->version.ptr != NULL,
         "version: the host's own");
  expect(&self->found, host->get_service(host, text_of("iq.no_such_thing/1")) == NULL,
         "get_service: NULL when this host has no such thing");
  expect(&self->found, host->get_service(host, text_of("")) == NULL,
         "get_service: NULL when this host has no such thing (an empty id)");
  expect(&self->found,
         self->command->struct_size >= offsetof(iq_command, document) + sizeof(const void*),
         "iq_command: begins with its size");
  return IQ_DONE;
}

static void expect_setting(scene* self, const char* key, const char* value) {
  const iq_host* const host = self->host;
  iq_str found = {"", 0};
  loan name;
  const iq_rc rc = host->setting(host, lend(&name, key), &found);
  take_back(&name);
  if (value == NULL) {
    expect(&self->found, rc == IQ_E_NOT_FOUND,
           "setting: NOT_FOUND when it is not set (%s gives %d)", key, (int)rc);
    return;
  }
  expect(&self->found, rc == IQ_OK && same(found, value),
         "setting: the value of plugins.settings.PLUGIN.KEY as text; dots nest (%s gives %d, "
         "\"%.*s\")",
         key, (int)rc, (int)found.len, found.ptr);
}

iq_outcome check_settings(scene* self) {
  static iq_str first = {"", 0};
  if (first.len == 0) first = setting(self->host, "plain");
  expect_setting(self, "plain", "some text");
  expect_setting(self, "empty", "");
  expect_setting(self, "number", "17");
  expect_setting(self, "nested.deeper.still", "yes");
  expect_setting(self, "nested.deeper.missing", NULL);
  expect_setting(self, "missing", NULL);
  expect_setting(self, "secret", NULL);
  expect_setting(self, "other.secret", NULL);
  expect(&self->found, same(first, "some text"), "setting: lives as long as the host");
  return IQ_DONE;
}

/* The test looks for the lines: "LEVEL with the command", "LEVEL without". */
iq_outcome check_log(scene* self) {
  static const char* const names[] = {"debug", "info", "warn", "error"};
  const iq_host* const host = self->host;
  uint32_t level;
  for (level = IQ_LOG_DEBUG; level <= IQ_LOG_ERROR; ++level) {
    char line[LOAN_SIZE];
    loan message;
    snprintf(line, sizeof line, "%s with the command", names[level]);
    host->log(host, self->context, level, lend(&message, line));
    take_back(&message);
    snprintf(line, sizeof line, "%s without", names[level]);
    host->log(host, NULL, level, lend(&message, line));
    take_back(&message);
    ++self->found.clauses;
  }
  return IQ_DONE;
}

enum { STRANGERS = 4, ROUNDS = 200 };

/* A thread of the plugin's own. */
typedef struct stranger {
  const iq_host* host;
  pthread_t thread;
  int faults;
} stranger;

static void* ask_and_log(void* me) {
  stranger* const self = me;
  const iq_host* const host = self->host;
  int i;
  for (i = 0; i < ROUNDS; ++i) {
    iq_str value = {"", 0};
    if (!same(setting(host, "nested.deeper.still"), "yes")) ++self->faults;
    if (host->setting(host, text_of("missing"), &value) != IQ_E_NOT_FOUND) ++self->faults;
    if (host->get_service(host, text_of("iq.no_such_thing/1")) != NULL) ++self->faults;
    host->log(host, NULL, IQ_LOG_DEBUG, text_of("said by a stranger"));
  }
  return NULL;
}

iq_outcome check_threads(scene* self) {
  stranger strangers[STRANGERS];
  int started = 0;
  int i;
  for (; started < STRANGERS; ++started) {
    stranger* const each = &strangers[started];
    each->host = self->host;
    each->faults = 0;
    if (pthread_create(&each->thread, NULL, ask_and_log, each) != 0) break;
  }
  for (i = 0; i < started; ++i) {
    pthread_join(strangers[i].thread, NULL);
    expect(&self->found, strangers[i].faults == 0,
           "setting, get_service, log: [any] any thread (%d faults)", strangers[i].faults);
  }
  return started == STRANGERS ? IQ_DONE : IQ_FATAL;
}
