/* handle_batch. Every command of test.conformance_batch adds 1 to its user's balance, and so does one
 * of test.conformance_batch_shared, which takes commands that share a key; those of one user come in
 * the order of `details.place`. What `details.how` says:
 *
 *   reject     that command is refused
 *   discard    the run is given up, and handle does the commands
 *   fail       a statement fails, and the run is said to be done
 *   refused    the same, with a statement that is not allowed
 *
 * Where all is well each command emits test.conformed with how many were handled together.
 */
#include "conformance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What means DONE and REJECT by its hundred alone. */
enum { DONE_BY_HUNDRED = 7, REJECT_BY_HUNDRED = 150 };

static iq_outcome plan(void* me, const iq_command* command, iq_plan* out) {
  const iq_core* const core = host_of(me)->core;
  iq_rc rc;
  enter(me);
  rc = plan_key(core, out, "user", integer_at(core, command, "userId", 0));
  leave(me);
  return rc == IQ_OK ? IQ_DONE : IQ_FATAL;
}

static int is(const iq_core* core, const iq_command* command, const char* how) {
  return same(text_at(core, command, "details.how"), how);
}

static iq_rc report(const iq_core* core, iq_context* context, uint32_t together) {
  char data[64];
  snprintf(data, sizeof data, "{\"check\":\"batch\",\"together\":%u}", (unsigned)together);
  return core->emit(context, text_of("test.conformed"), text_of(data));
}

static iq_outcome refuse(const iq_core* core, iq_context* context) {
  core->fail(context, text_of("test_refused"), text_of("as the test wants it"));
  return REJECT_BY_HUNDRED;
}

static iq_outcome handle_one(const iq_core* core, const iq_command* command, iq_context* context) {
  const iq_value user = int64_value(integer_at(core, command, "userId", 0));
  if (is(core, command, "reject")) return refuse(core, context);
  if (core->execute(context, text_of(touch), &user, 1) < 0) return IQ_FATAL;
  return report(core, context, 1) == IQ_OK ? IQ_DONE : IQ_FATAL;
}

static iq_outcome handle(void* me, const iq_command* command, iq_context* context) {
  iq_outcome outcome;
  enter(me);
  outcome = handle_one(host_of(me)->core, command, context);
  leave(me);
  return outcome;
}

typedef struct run {
  const iq_core* core;
  const iq_command_type* type;
  const iq_command* const* commands;
  iq_context* const* contexts;
  iq_outcome* outcomes;
  uint32_t count;
  findings found;
} run;

static int same_user(const run* self, uint32_t i, uint32_t j) {
  return integer_at(self->core, self->commands[i], "userId", 0) ==
         integer_at(self->core, self->commands[j], "userId", 0);
}

/* i comes after j. */
static void expect_apart(run* self, uint32_t i, uint32_t j) {
  const iq_command* const one = self->commands[i];
  const iq_command* const other = self->commands[j];
  if ((self->type->flags & IQ_BATCH_SHARES_KEYS) == 0) {
    expect(&self->found, !same_user(self, i, j),
           "handle_batch: pairwise disjoint lock keys (%u and %u)", (unsigned)i, (unsigned)j);
  } else if (same_user(self, i, j)) {
    expect(&self->found,
           integer_at(self->core, one, "details.place", 0) >
               integer_at(self->core, other, "details.place", 0),
           "handle_batch: in their order (%u and %u)", (unsigned)i, (unsigned)j);
  }
  expect(&self->found, self->contexts[i] != self->contexts[j] && !same_text(one->id, other->id),
         "handle_batch: contexts[i] belongs to commands[i]");
}

static void expect_contract(run* self) {
  uint32_t i;
  uint32_t j;
  expect(&self->found, self->count >= 2, "handle_batch: `count` commands (at least 2)");
  for (i = 0; i < self->count; ++i) {
    expect(&self->found, self->outcomes[i] == IQ_DONE,
           "handle_batch: outcomes[i] is DONE on entry");
    expect(&self->found, same_text(self->commands[i]->type, self->type->type),
           "handle_batch: commands of its type");
    expect(&self->found, self->core->last_error(self->contexts[i]).len == 0,
           "last_error: empty when none did");
    for (j = 0; j < i; ++j) expect_apart(self, i, j);
  }
}

/* How many commands of its user, to this one, have touched the balance. */
static int64_t touches(const run* self, uint32_t i) {
  int64_t count = 0;
  uint32_t j;
  for (j = 0; j <= i; ++j) {
    if (same_user(self, i, j) && !is(self->core, self->commands[j], "reject")) ++count;
  }
  return count;
}

/* Writes through the first context, and looks through the last. */
static int touch_all(run* self) {
  const iq_value* columns = NULL;
  iq_rows* rows = NULL;
  uint32_t width = 0;
  uint32_t i;
  for (i = 0; i < self->count; ++i) {
    const iq_value user = int64_value(integer_at(self->core, self->commands[i], "userId", 0));
    if (is(self->core, self->commands[i], "reject")) continue;
    if (self->core->execute(self->contexts[0], text_of(touch), &user, 1) < 0 ||
        self->core->query(self->contexts[self->count - 1],
                          text_of("SELECT sum FROM balance WHERE user_id = $1"), &user, 1,
                          &rows) < 0) {
      return 0;
    }
    expect(&self->found,
           self->core->row_next(rows, &columns, &width) == 1 &&
               columns[0].u.i64 == touches(self, i),
           "handle_batch: a statement through any of the contexts serves all");
  }
  return 1;
}

static int any(const run* self, const char* how) {
  uint32_t i;
  for (i = 0; i < self->count; ++i) {
    if (is(self->core, self->commands[i], how)) return 1;
  }
  return 0;
}

static iq_outcome handle_run(run* self) {
  iq_rows* rows = NULL;
  uint32_t i;
  expect_contract(self);
  if (!touch_all(self)) return IQ_FATAL;
  for (i = 0; i < self->count; ++i) {
    if (is(self->core, self->commands[i], "reject")) {
      self->outcomes[i] = refuse(self->core, self->contexts[i]);
    } else if (report(self->core, self->contexts[i], self->count) != IQ_OK) {
      return IQ_FATAL;
    }
  }
  if (any(self, "refused")) {
    self->core->query(self->contexts[0], text_of("COMMIT"), NULL, 0, &rows);
  }
  if (any(self, "fail")) {
    self->core->execute(self->contexts[0], text_of("SELECT no_such_column FROM balance"), NULL, 0);
  }
  return any(self, "discard") ? IQ_RETRY : DONE_BY_HUNDRED;
}

static iq_outcome handle_all(const iq_command_type* type, void* me,
                             const iq_command* const* commands, iq_context* const* contexts,
                             iq_outcome* outcomes, uint32_t count) {
  run self;
  iq_outcome outcome;
  memset(&self, 0, sizeof self);
  self.core = host_of(me)->core;
  self.type = type;
  self.commands = commands;
  self.contexts = contexts;
  self.outcomes = outcomes;
  self.count = count;
  enter(me);
  outcome = handle_run(&self);
  leave(me);
  if (self.found.violations[0] != '\0') complain(host_of(me), contexts[0], self.found.violations);
  return outcome;
}

static iq_outcome handle_batch(void* me, const iq_command* const* commands,
                               iq_context* const* contexts, iq_outcome* outcomes, uint32_t count) {
  return handle_all(&batch_type, me, commands, contexts, outcomes, count);
}

static iq_outcome handle_shared(void* me, const iq_command* const* commands,
                                iq_context* const* contexts, iq_outcome* outcomes,
                                uint32_t count) {
  return handle_all(&shared_batch_type, me, commands, contexts, outcomes, count);
}

const iq_command_type batch_type = {
    .struct_size = sizeof(iq_command_type),
    .type = TEXT("test.conformance_batch"),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .handle = handle,
    .handle_batch = handle_batch,
};

const iq_command_type shared_batch_type = {
    .struct_size = sizeof(iq_command_type),
    .flags = IQ_BATCH_SHARES_KEYS,
    .type = TEXT("test.conformance_batch_shared"),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .handle = handle,
    .handle_batch = handle_shared,
};
