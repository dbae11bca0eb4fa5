/* How a command ends: refusals, events, outcomes, and the time it has. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void expect_code(scene* self, iq_str code, iq_rc right) {
  const iq_rc rc = self->core->fail(self->context, code, text_of("it is not returned"));
  expect(&self->found, rc == right, "fail: lower_snake_case, at most 64 bytes (%.*s gives %d)",
         (int)code.len, code.ptr, (int)rc);
}

iq_outcome check_fail(scene* self) {
  char bytes[65];
  const iq_str longest = {bytes, 64};
  const iq_str too_long = {bytes, 65};
  memset(bytes, 'c', sizeof bytes);
  expect(&self->found, self->core->last_error(self->context).len == 0,
         "last_error: empty when none did");
  expect_code(self, longest, IQ_OK);
  expect_code(self, text_of("snake_case_2"), IQ_OK);
  expect(&self->found, self->core->last_error(self->context).len == 0,
         "last_error: empty when none did");
  expect_code(self, too_long, IQ_E_INVALID);
  expect_code(self, text_of("Upper"), IQ_E_INVALID);
  expect_code(self, text_of("kebab-case"), IQ_E_INVALID);
  expect_code(self, text_of("two words"), IQ_E_INVALID);
  expect_code(self, text_of("\xC3\xBC"), IQ_E_INVALID);
  expect(&self->found, self->core->last_error(self->context).len > 0,
         "last_error: why the last failed call of this context failed");
  return IQ_DONE;
}

static void expect_emitted(scene* self, iq_str name, const char* data, iq_rc right) {
  loan lent;
  const iq_rc rc = self->core->emit(self->context, name, lend(&lent, data));
  take_back(&lent);
  expect(&self->found, rc == right,
         "emit: `name` at most 255 bytes; `data` a JSON object (%u bytes, %s gives %d)",
         (unsigned)name.len, data, (int)rc);
}

/* The test looks for the two that are good, test.emitted and the one of 255 bytes. */
iq_outcome check_emit(scene* self) {
  static const char* const no_objects[] = {
      "",     "[]",         "1",     "\"{}\"",  "null",
      "true", "{\"half\":", "{} {}", "{'a':1}", "{\"a\":\"\xFF\"}"};
  char bytes[256];
  const iq_str longest = {bytes, 255};
  const iq_str too_long = {bytes, 256};
  loan name;
  size_t i;
  memset(bytes, 'n', sizeof bytes);
  for (i = 0; i < sizeof no_objects / sizeof no_objects[0]; ++i) {
    expect_emitted(self, text_of("test.bad"), no_objects[i], IQ_E_INVALID);
  }
  expect_emitted(self, too_long, "{}", IQ_E_INVALID);
  expect(&self->found, self->core->last_error(self->context).len > 0,
         "last_error: why the last failed call of this context failed");
  expect_emitted(self, lend(&name, "test.emitted"),
                 " {\"text\": \"\xC3\xBC\", \"number\": 9007199254740993, \"list\": [1, {}]}\n",
                 IQ_OK);
  take_back(&name);
  expect_emitted(self, longest, "{}", IQ_OK);
  memset(bytes, '#', sizeof bytes);
  return IQ_DONE;
}

/* Emits `details.events`, names with a blank between, with `details.data` each. */
iq_outcome check_events(scene* self) {
  const iq_str names = text_at(self->core, self->command, "details.events");
  uint64_t from = 0;
  uint64_t i;
  iq_value data;
  if (self->core->command_get(self->command, text_of("details.data"), &data) != IQ_OK) {
    data = text_value("{}");
  }
  for (i = 0; i <= names.len; ++i) {
    iq_str name;
    iq_rc rc;
    if (i < names.len && names.ptr[i] != ' ') continue;
    name.ptr = names.ptr + from;
    name.len = i - from;
    rc = self->core->emit(self->context, name, data.u.s);
    expect(&self->found, rc == IQ_OK, "emit: an event (%d)", (int)rc);
    from = i + 1;
  }
  return IQ_DONE;
}

/* The test says in `details.deadlineUs` how long a handler may take. */
iq_outcome check_clock(scene* self) {
  const int64_t second_us = 1000000;
  const int64_t before_us = (int64_t)time(NULL) * second_us;
  const int64_t now_us = self->core->now_us(self->context);
  const int64_t after_us = ((int64_t)time(NULL) + 1) * second_us;
  const int64_t deadline_us = integer_at(self->core, self->command, "details.deadlineUs", 0);
  const int64_t left_us = self->core->time_left_us(self->context);
  const struct timespec pause = {0, 5 * 1000 * 1000};
  int64_t less_us;
  nanosleep(&pause, NULL);
  less_us = self->core->time_left_us(self->context);
  expect(&self->found, before_us - second_us <= now_us && now_us <= after_us + second_us,
         "now_us: microseconds since 1970");
  expect(&self->found, self->core->now_us(self->context) > now_us, "now_us: it goes on");
  expect(&self->found, 0 < left_us && left_us <= deadline_us,
         "time_left_us: microseconds until the handler must have returned");
  expect(&self->found, less_us <= left_us - 5000, "time_left_us: it runs out");
  return IQ_DONE;
}

/* Writes, emits, and returns `details.returns`; after fail() where there is a `details.code`. */
iq_outcome check_outcome(scene* self) {
  const iq_str given = text_at(self->core, self->command, "details.code");
  char text[LOAN_SIZE];
  iq_rc rc;
  touch_user(self);
  rc = self->core->emit(self->context, text_of("test.returned"), text_of("{}"));
  expect(&self->found, rc == IQ_OK, "emit: an event (%d)", (int)rc);
  if (given.len > 0) {
    loan code;
    loan reason;
    snprintf(text, sizeof text, "%.*s", (int)given.len, given.ptr);
    rc = self->core->fail(self->context, lend(&code, text), lend(&reason, "as the test wants it"));
    take_back(&code);
    take_back(&reason);
    expect(&self->found, rc == IQ_OK, "fail: for the outcome that is about to be returned (%d)",
           (int)rc);
  }
  return (iq_outcome)integer_at(self->core, self->command, "details.returns", IQ_DONE);
}
