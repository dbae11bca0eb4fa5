/* The plugin "conformance" in C99: checks the host. What abi.h promises a plugin is looked at
 * clause by clause, through the tables themselves.
 *
 *   {"type": "test.conformance", "userId": 1, "details": {"check": "rows"}}
 *
 * runs the check of that name. Where every clause holds, the command emits test.conformed with
 * their number; where one does not, it is rejected with the code "violated" and a reason that says
 * which. Either is logged as well, for the checks that are about how a command ends and so have no
 * event. The order of calls and their threads, which no command can tell, are watched by all
 * commands: what is wrong with them is logged as "violated: …".
 *
 *   test.conformance_batch   the same for handle_batch: conformance_batch.c
 *   test.conformance_bare    has neither create nor plan
 *   listeners                conformance_event.c
 *
 * Settings: conformance_host.c, and `refuse`, with which init refuses to serve.
 */
#include "conformance.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct handler {
  const iq_host* host;
  pthread_t thread; /* That it was made on. */
  int busy;         /* A call is in it. */
  findings planned;
};

enum { LOADED, INITIALISED, SHUT_DOWN };

static const iq_host* the_host;
static int phase = LOADED;
static int handlers_live; /* Of all workers, as is the next. */
static int handlers_made;

static int count_of(int* counter, int change) {
  return __atomic_add_fetch(counter, change, __ATOMIC_ACQ_REL);
}

static int phase_now(void) { return __atomic_load_n(&phase, __ATOMIC_ACQUIRE); }

static void must(const iq_host* host, int holds, const char* clause) {
  if (!holds) complain(host, NULL, clause);
}

static iq_rc init(const iq_host* host) {
  must(host, phase_now() == LOADED, "init: once, before any other call into the plugin");
  must(host, count_of(&handlers_live, 0) == 0, "init: [control] before all workers");
  the_host = host;
  __atomic_store_n(&phase, INITIALISED, __ATOMIC_RELEASE);
  host->log(host, NULL, IQ_LOG_INFO, text_of("conformance is initialised"));
  return setting(host, "refuse").len == 0 ? IQ_OK : IQ_E_INVALID;
}

static void shutdown(void) {
  char line[64];
  must(the_host, phase_now() == INITIALISED, "shutdown: once");
  must(the_host, count_of(&handlers_live, 0) == 0, "shutdown: after every handler is destroyed");
  must(the_host, setting(the_host, "refuse").len == 0, "init: negative refuses to serve");
  snprintf(line, sizeof line, "conformance is shut down, handlers made: %d",
           count_of(&handlers_made, 0));
  the_host->log(the_host, NULL, IQ_LOG_INFO, text_of(line));
  __atomic_store_n(&phase, SHUT_DOWN, __ATOMIC_RELEASE);
}

iq_rc create(const iq_host* host, void** out) {
  handler* const self = calloc(1, sizeof *self);
  if (self == NULL) return IQ_E_UNAVAILABLE;
  must(host, phase_now() == INITIALISED, "create: after init and before shutdown");
  count_of(&handlers_live, 1);
  count_of(&handlers_made, 1);
  self->host = host;
  self->thread = pthread_self();
  *out = self;
  return IQ_OK;
}

void enter(void* me) {
  handler* const self = me;
  must(self->host, __atomic_exchange_n(&self->busy, 1, __ATOMIC_ACQ_REL) == 0,
       "[worker]: one handler never runs on two threads at once");
  must(self->host, pthread_equal(self->thread, pthread_self()),
       "[worker]: on the worker thread that owns the handler");
  must(self->host, phase_now() == INITIALISED, "shutdown: after every handler is destroyed");
}

void leave(void* me) { __atomic_store_n(&((handler*)me)->busy, 0, __ATOMIC_RELEASE); }

void destroy(void* me) {
  enter(me);
  count_of(&handlers_live, -1);
  free(me);
}

const iq_host* host_of(const void* me) {
  return me == NULL ? the_host : ((const handler*)me)->host;
}

static const struct {
  const char* name;
  check* run;
} checks[] = {
    {"tables", check_tables},
    {"settings", check_settings},
    {"log", check_log},
    {"threads", check_threads},
    {"command", check_command},
    {"values", check_values},
    {"decimals", check_decimals},
    {"lifetimes", check_lifetimes},
    {"parameters", check_parameters},
    {"arrays", check_arrays},
    {"rows", check_rows},
    {"kinds", check_kinds},
    {"refused", check_refused},
    {"failed", check_failed},
    {"late_failure", check_late_failure},
    {"deadline", check_deadline},
    {"plan", check_plan},
    {"exclusion", check_exclusion},
    {"fail", check_fail},
    {"emit", check_emit},
    {"clock", check_clock},
    {"outcome", check_outcome},
    {"plan_outcome", check_outcome},
    {"events", check_events},
};

iq_outcome conclude(scene* self, const char* topic, iq_outcome outcome) {
  const iq_core* const core = self->core;
  char line[128];
  if (self->found.violations[0] != '\0') {
    complain(self->host, self->context, self->found.violations);
    core->fail(self->context, text_of("violated"), text_of(self->found.violations));
    return IQ_REJECT;
  }
  snprintf(line, sizeof line, "%s: %u clauses hold", topic, (unsigned)self->found.clauses);
  self->host->log(self->host, self->context, IQ_LOG_INFO, text_of(line));
  if (outcome != IQ_DONE || self->broken) return outcome;
  snprintf(line, sizeof line, "{\"check\":\"%s\",\"clauses\":%u}", topic,
           (unsigned)self->found.clauses);
  return core->emit(self->context, text_of("test.conformed"), text_of(line)) == IQ_OK ? outcome
                                                                                      : IQ_FATAL;
}

static iq_outcome run_check(scene* self) {
  const iq_str name = text_at(self->core, self->command, "details.check");
  size_t i;
  for (i = 0; i < sizeof checks / sizeof checks[0]; ++i) {
    if (same(name, checks[i].name)) return conclude(self, checks[i].name, checks[i].run(self));
  }
  expect(&self->found, 0, "there is no check of the name \"%.*s\"", (int)name.len, name.ptr);
  return conclude(self, "none", IQ_DONE);
}

static scene scene_of(const iq_host* host, const iq_command* command, iq_context* context) {
  scene self;
  memset(&self, 0, sizeof self);
  self.host = host;
  self.core = host->core;
  self.command = command;
  self.context = context;
  return self;
}

static iq_outcome plan(void* me, const iq_command* command, iq_plan* out) {
  handler* const self = me;
  iq_outcome outcome;
  enter(self);
  outcome = plan_for_check(self->host->core, command, out, &self->planned);
  leave(self);
  return outcome;
}

static iq_outcome handle(void* me, const iq_command* command, iq_context* context) {
  handler* const self = me;
  scene here = scene_of(self->host, command, context);
  iq_outcome outcome;
  enter(self);
  here.planned = &self->planned;
  outcome = run_check(&here);
  leave(self);
  return outcome;
}

static iq_outcome handle_bare(void* me, const iq_command* command, iq_context* context) {
  scene here = scene_of(host_of(me), command, context);
  expect(&here.found, me == NULL, "create: optional: without, `handler` is NULL");
  return conclude(&here, "bare", IQ_DONE);
}

static const iq_command_type checked_type = {
    .struct_size = sizeof(iq_command_type),
    .type = TEXT("test.conformance"),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .handle = handle,
};
static const iq_command_type bare_type = {
    .struct_size = sizeof(iq_command_type),
    .type = TEXT("test.conformance_bare"),
    .handle = handle_bare,
};

static const iq_command_type* const commands[] = {&checked_type, &bare_type, &batch_type,
                                                  &shared_batch_type};
static const iq_listener* const listeners[] = {&witness, &star, &hash};

static const iq_plugin conformance = {
    .struct_size = sizeof(iq_plugin),
    .abi_major = IQ_ABI_MAJOR,
    .abi_minor_least = IQ_USE_MINOR,
    .abi_minor_built = IQ_ABI_MINOR,
    .name = TEXT("conformance"),
    .version = TEXT("1.0.0"),
    .commands = commands,
    .command_count = sizeof commands / sizeof commands[0],
    .init = init,
    .shutdown = shutdown,
    .listeners = listeners,
    .listener_count = sizeof listeners / sizeof listeners[0],
};

const iq_plugin* iq_plugin_v1(void) { return &conformance; }

IQ_PLUGIN_NOTE("conformance", "1.0.0",
               "test.conformance"
               "\0"
               "test.conformance_bare"
               "\0"
               "test.conformance_batch"
               "\0"
               "test.conformance_batch_shared");
