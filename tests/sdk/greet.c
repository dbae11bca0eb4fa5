/* The plugin "greet" in C99: greets each name once.
 *
 *   {"type": "test.greet", "name": "Ada"}   locks greet:Ada, writes a row, emits test.greeted
 *   the same name again                     rejected, already_greeted
 *   the name "nobody"                       invalid: its plan refuses it
 *   the name "fault"                        fails as a handler of this language does
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iq/abi.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}

enum { KEY_SIZE = 256, DATA_SIZE = 512 };

typedef struct greeter {
  const iq_core *core;
  int64_t greeted; /* By this handler, also in transactions that were not committed. */
} greeter;

static iq_str text_of(const char *text) {
  iq_str out;
  out.ptr = text;
  out.len = strlen(text);
  return out;
}

static int same(iq_str text, const char *other) {
  return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

/* The schema lets no command through that has no name. */
static iq_str name_of(const greeter *self, const iq_command *command) {
  iq_value name;
  if (self->core->command_get(command, text_of("name"), &name) != IQ_OK) return text_of("");
  return name.u.s;
}

static iq_rc create(const iq_host *host, void **handler) {
  greeter *self = malloc(sizeof *self);
  if (self == NULL) return IQ_E_UNAVAILABLE;
  self->core = host->core;
  self->greeted = 0;
  *handler = self;
  return IQ_OK;
}

static void destroy(void *handler) { free(handler); }

static iq_outcome plan(void *handler, const iq_command *command, iq_plan *out) {
  const greeter *self = handler;
  const iq_str name = name_of(self, command);
  char key[KEY_SIZE];
  if (same(name, "nobody")) {
    self->core->plan_fail(out, text_of("schema"), text_of("nobody is not greeted"));
    return IQ_INVALID;
  }
  snprintf(key, sizeof key, "greet:%.*s", (int)name.len, name.ptr);
  return self->core->plan_lock(out, text_of(key)) == IQ_OK ? IQ_DONE : IQ_FATAL;
}

static iq_outcome handle(void *handler, const iq_command *command, iq_context *context) {
  greeter *self = handler;
  const iq_core *core = self->core;
  const iq_str name = name_of(self, command);
  const iq_value *columns;
  iq_value argument = {IQ_TEXT, 0, {0}};
  iq_rows *rows;
  uint32_t count;
  iq_rc found;
  char data[DATA_SIZE];

  if (same(name, "fault")) return IQ_FATAL;
  argument.u.s = name;
  if (core->query(context, text_of("SELECT name FROM greeted WHERE name = $1"), &argument, 1,
                  &rows) != IQ_OK) {
    return IQ_FATAL;
  }
  found = core->row_next(rows, &columns, &count);
  if (found < 0) return IQ_FATAL;
  if (found == 1) {
    core->fail(context, text_of("already_greeted"), text_of("one greeting is enough"));
    return IQ_REJECT;
  }
  if (core->execute(context, text_of("INSERT INTO greeted (name) VALUES ($1)"), &argument, 1) !=
      IQ_OK) {
    return IQ_FATAL;
  }
  snprintf(data, sizeof data, "{\"name\":\"%.*s\",\"greeted\":%lld}", (int)name.len, name.ptr,
           (long long)++self->greeted);
  return core->emit(context, text_of("test.greeted"), text_of(data)) == IQ_OK ? IQ_DONE : IQ_FATAL;
}

static const iq_command_type greet = {
    sizeof(iq_command_type), 0, TEXT("test.greet"),
    TEXT("{\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":200}}}"),
    create, destroy, plan, handle, NULL};
static const iq_command_type *const commands[] = {&greet};
static const iq_plugin self = {
    sizeof(iq_plugin), IQ_ABI_MAJOR, IQ_USE_MINOR, IQ_ABI_MINOR, TEXT("greet"), TEXT("1.0.0"),
    commands, 1, 0, NULL, NULL, NULL};

const iq_plugin *iq_plugin_v1(void) { return &self; }

IQ_PLUGIN_NOTE("greet", "1.0.0", "test.greet");
