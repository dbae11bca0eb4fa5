/* Plans: their limits, their refusals, and that what they name is held. */
#include "conformance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { KEYS_MAX = 16, KEY_BYTES_MAX = 255 };

iq_rc plan_key(const iq_core* core, iq_plan* plan, const char* prefix, int64_t number) {
  char key[64];
  loan lent;
  iq_rc rc;
  snprintf(key, sizeof key, "%s:%" PRId64, prefix, number);
  rc = core->plan_lock(plan, lend(&lent, key));
  take_back(&lent);
  return rc;
}

static void expect_keys(const iq_core* core, iq_plan* plan, findings* found) {
  char bytes[KEY_BYTES_MAX + 1];
  const iq_str longest = {bytes, KEY_BYTES_MAX};
  const iq_str too_long = {bytes, KEY_BYTES_MAX + 1};
  iq_rc rc;
  int64_t i;
  memset(bytes, 'k', sizeof bytes);
  rc = core->plan_lock(plan, too_long);
  expect(found, rc == IQ_E_INVALID, "plan_lock: of at most 255 bytes each (256 give %d)", (int)rc);
  rc = core->plan_lock(plan, longest);
  expect(found, rc == IQ_OK, "plan_lock: of at most 255 bytes each (255 give %d)", (int)rc);
  for (i = 1; i < KEYS_MAX; ++i) {
    rc = plan_key(core, plan, "conformance:limit", i);
    expect(found, rc == IQ_OK, "plan_lock: at most 16 (key %d gives %d)", (int)i + 1, (int)rc);
    rc = plan_key(core, plan, "conformance:limit", 1);
    expect(found, rc == IQ_OK, "plan_lock: repeats are harmless (%d)", (int)rc);
  }
  rc = plan_key(core, plan, "conformance:limit", KEYS_MAX);
  expect(found, rc == IQ_E_INVALID, "plan_lock: at most 16 (17 give %d)", (int)rc);
  rc = core->plan_lock(plan, longest);
  expect(found, rc == IQ_OK, "plan_lock: repeats are harmless (the first of 16 gives %d)", (int)rc);
}

/* Returns `details.plans`; after plan_fail where there is a `details.code`. */
static iq_outcome end_plan(const iq_core* core, const iq_command* command, iq_plan* plan) {
  const iq_str given = text_at(core, command, "details.code");
  if (given.len > 0) {
    loan code;
    loan reason;
    char text[LOAN_SIZE];
    snprintf(text, sizeof text, "%.*s", (int)given.len, given.ptr);
    core->plan_fail(plan, lend(&code, text), lend(&reason, "as the test wants it"));
    take_back(&code);
    take_back(&reason);
  }
  return (iq_outcome)integer_at(core, command, "details.plans", IQ_DONE);
}

static void expect_code(const iq_core* core, iq_plan* plan, findings* found, iq_str code,
                        iq_rc right) {
  const iq_rc rc = core->plan_fail(plan, code, text_of("it is not returned"));
  expect(found, rc == right, "plan_fail: lower_snake_case, at most 64 bytes (%.*s gives %d)",
         (int)code.len, code.ptr, (int)rc);
}

static void expect_codes(const iq_core* core, iq_plan* plan, findings* found) {
  char bytes[65];
  const iq_str longest = {bytes, 64};
  const iq_str too_long = {bytes, 65};
  memset(bytes, 'c', sizeof bytes);
  expect_code(core, plan, found, too_long, IQ_E_INVALID);
  expect_code(core, plan, found, text_of("UPPER"), IQ_E_INVALID);
  expect_code(core, plan, found, text_of("two words"), IQ_E_INVALID);
  expect_code(core, plan, found, longest, IQ_OK);
  expect_code(core, plan, found, text_of("snake_case_2"), IQ_OK);
}

iq_outcome plan_for_check(const iq_core* core, const iq_command* command, iq_plan* plan,
                          findings* found) {
  const iq_str name = text_at(core, command, "details.check");
  memset(found, 0, sizeof *found);
  if (same(name, "plan")) {
    expect_codes(core, plan, found);
    expect_keys(core, plan, found);
    return IQ_DONE;
  }
  if (same(name, "plan_outcome")) return end_plan(core, command, plan);
  if (same(name, "exclusion")) plan_key(core, plan, "conformance:alone", 1);
  return plan_key(core, plan, "user", integer_at(core, command, "userId", 0)) == IQ_OK ? IQ_DONE
                                                                                       : IQ_FATAL;
}

iq_outcome check_plan(scene* self) {
  expect(&self->found, self->planned->clauses > 0, "plan: names the lock keys before handle");
  take_over(&self->found, self->planned);
  return IQ_DONE;
}

/* All commands of this check have a key in common. */
iq_outcome check_exclusion(scene* self) {
  static int inside;
  const struct timespec pause = {0, 2 * 1000 * 1000};
  const int others = __atomic_fetch_add(&inside, 1, __ATOMIC_ACQ_REL);
  nanosleep(&pause, NULL);
  expect(&self->found, others == 0,
         "plan_lock: names a lock key that must be held while the command is handled (%d others)",
         others);
  __atomic_sub_fetch(&inside, 1, __ATOMIC_ACQ_REL);
  return IQ_DONE;
}
