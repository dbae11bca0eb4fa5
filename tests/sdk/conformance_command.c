/* The command: its own fields, and the values in its body. */
#include "conformance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conformance_values.h"

/* What the producer gave is in `details.expect`. */
iq_outcome check_command(scene* self) {
  const iq_command* const command = self->command;
  const iq_str id = text_at(self->core, command, "details.expect.id");
  const iq_str trace = text_at(self->core, command, "details.expect.traceparent");
  const iq_str correlation = text_at(self->core, command, "details.expect.correlationId");
  const int64_t timestamp_us = integer_at(self->core, command, "details.expect.timestampUs", 0);
  const int64_t attempt = integer_at(self->core, command, "details.expect.attempt", 1);
  const int64_t attempts_max = integer_at(self->core, command, "details.expect.attemptsMax", 0);
  findings* const found = &self->found;
  expect(found, same(command->type, "test.conformance"), "iq_command.type");
  expect(found, id.len == 0 || same_text(command->id, id), "id: as the producer gave it");
  expect(found, command->id.len > 0, "id: generated where it gave none");
  expect(found, same_text(command->correlation_id, correlation),
         "correlation_id: empty where the producer gave none (%.*s)",
         (int)command->correlation_id.len, command->correlation_id.ptr);
  expect(found, same_text(command->traceparent, trace),
         "traceparent: empty where the producer gave none");
  expect(found, command->timestamp_us == timestamp_us,
         "timestamp_us: the producer's, microseconds since 1970; 0 where it gave none (%" PRId64
         ")",
         command->timestamp_us);
  expect(found, command->attempts_max == attempts_max, "attempts_max: as configured (%u)",
         (unsigned)command->attempts_max);
  if (command->attempt < attempt) return IQ_RETRY;
  expect(found, command->attempt == attempt, "attempt: 1 for the first time that it is tried (%u)",
         (unsigned)command->attempt);
  return IQ_DONE;
}

static void expect_value(scene* self, const char* path, iq_value value) {
  iq_value got;
  loan lent;
  const iq_rc rc = self->core->command_get(self->command, lend(&lent, path), &got);
  take_back(&lent);
  expect(&self->found, rc == IQ_OK && got.type == value.type && same_value(&got, &value),
         "command_get: the value at `path` (%s gives %d, type %u)", path, (int)rc,
         (unsigned)got.type);
}

static void expect_double(scene* self, const char* path, double number) {
  iq_value got;
  const iq_rc rc = self->core->command_get(self->command, text_of(path), &got);
  expect(&self->found, rc == IQ_OK && got.type == IQ_DOUBLE && got.u.f64 == number,
         "command_get: a number that is no 64-bit integer as IQ_DOUBLE (%s gives %d, type %u)",
         path, (int)rc, (unsigned)got.type);
}

/* `json` is without blanks. */
static void expect_json(scene* self, const char* path, const char* json) {
  char dense[LOAN_SIZE];
  size_t used = 0;
  uint64_t i;
  iq_value got;
  const iq_rc rc = self->core->command_get(self->command, text_of(path), &got);
  if (rc == IQ_OK && got.type == IQ_JSON) {
    for (i = 0; i < got.u.s.len && used < sizeof dense - 1; ++i) {
      if (strchr(" \t\r\n", got.u.s.ptr[i]) == NULL) dense[used++] = got.u.s.ptr[i];
    }
  }
  dense[used] = '\0';
  expect(&self->found, strcmp(dense, json) == 0,
         "command_get: an object or array comes as IQ_JSON (%s gives %d, %s)", path, (int)rc,
         dense);
}

static void expect_none(scene* self, const char* path) {
  iq_value got;
  const iq_rc rc = self->core->command_get(self->command, text_of(path), &got);
  expect(&self->found, rc == IQ_E_NOT_FOUND,
         "command_get: NOT_FOUND when there is none (%s gives %d)", path, (int)rc);
}

iq_outcome check_values(scene* self) {
  expect(&self->found, same(self->command->body, CONFORMANCE_VALUES("values")),
         "body: the JSON document as it came");
  expect_value(self, "type", text_value("test.conformance"));
  expect_value(self, "values.null", null_value());
  expect_value(self, "values.true", bool_value(1));
  expect_value(self, "values.false", bool_value(0));
  expect_value(self, "values.zero", int64_value(0));
  expect_value(self, "values.largest", int64_value(INT64_MAX));
  expect_value(self, "values.smallest", int64_value(INT64_MIN));
  expect_value(self, "values.text",
               text_value("Gr\xC3\xBC\xC3\x9F"
                          "e \"\xC3\xBC\"\n"));
  expect_value(self, "values.empty", text_value(""));
  expect_value(self, "values.deep.er.still", text_value("here"));
  expect_double(self, "values.beyond", 9223372036854775808.0);
  expect_double(self, "values.below", -9223372036854775808.0);
  expect_double(self, "values.huge", 18446744073709551616.0);
  expect_double(self, "values.half", 0.5);
  expect_double(self, "values.whole", 1.0);
  expect_double(self, "values.power", 100.0);
  expect_json(self, "values.object", "{\"a\":[1,{\"b\":2}]}");
  expect_json(self, "values.array", "[1,2]");
  expect_json(self, "values.none", "{}");
  expect_none(self, "missing");
  expect_none(self, "values.missing");
  expect_none(self, "values.text.missing");
  expect_none(self, "values.null.missing");
  expect_none(self, "values.deep.er.still.missing");
  expect_none(self, "");
  return IQ_DONE;
}

static const struct {
  const char* path;
  uint32_t scale;
  iq_rc rc;
  int64_t number;
} decimals[] = {
    {"decimals.third", 3, IQ_OK, 12345},
    {"decimals.third", 5, IQ_OK, 1234500},
    {"decimals.text", 3, IQ_OK, 12345},
    {"decimals.negative", 1, IQ_OK, -5},
    {"decimals.inexact", 3, IQ_OK, 9007199254740993},
    {"decimals.most", 3, IQ_OK, INT64_MAX},
    {"decimals.least", 3, IQ_OK, INT64_MIN},
    {"decimals.tiny", 18, IQ_OK, 1},
    {"decimals.zeros", 3, IQ_OK, 1500},
    {"values.zero", 18, IQ_OK, 0},
    {"values.largest", 0, IQ_OK, INT64_MAX},
    {"values.smallest", 0, IQ_OK, INT64_MIN},
    /* More than `scale` decimals. */
    {"decimals.third", 2, IQ_E_TYPE, 0},
    {"decimals.text", 2, IQ_E_TYPE, 0},
    {"decimals.third", 0, IQ_E_TYPE, 0},
    /* An exponent. */
    {"values.power", 3, IQ_E_TYPE, 0},
    {"decimals.power_text", 3, IQ_E_TYPE, 0},
    /* Does not fit. */
    {"decimals.more", 3, IQ_E_TYPE, 0},
    {"decimals.third", 18, IQ_E_TYPE, 0},
    {"values.largest", 1, IQ_E_TYPE, 0},
    {"values.beyond", 0, IQ_E_TYPE, 0},
    {"values.below", 0, IQ_E_TYPE, 0},
    /* None. */
    {"values.null", 0, IQ_E_TYPE, 0},
    {"values.true", 0, IQ_E_TYPE, 0},
    {"values.empty", 0, IQ_E_TYPE, 0},
    {"values.object", 0, IQ_E_TYPE, 0},
    {"values.array", 0, IQ_E_TYPE, 0},
    {"decimals.blank", 0, IQ_E_TYPE, 0},
    {"decimals.open", 1, IQ_E_TYPE, 0},
    {"decimals.plus", 0, IQ_E_TYPE, 0},
    {"decimals.words", 0, IQ_E_TYPE, 0},
    {"decimals.missing", 0, IQ_E_NOT_FOUND, 0},
};

iq_outcome check_decimals(scene* self) {
  size_t i;
  for (i = 0; i < sizeof decimals / sizeof decimals[0]; ++i) {
    int64_t number = 0;
    const iq_rc rc = self->core->command_decimal(self->command, text_of(decimals[i].path),
                                                 decimals[i].scale, &number);
    expect(&self->found, rc == decimals[i].rc && (rc != IQ_OK || number == decimals[i].number),
           "command_decimal: the number times 10^scale, exactly; TYPE when it is none, has an "
           "exponent or more than `scale` decimals, or does not fit (%s, scale %u gives %d, "
           "%" PRId64 ")",
           decimals[i].path, (unsigned)decimals[i].scale, (int)rc, number);
  }
  return IQ_DONE;
}

enum { GETS = 1000 };

/* Whatever may be done in a call is done, before the texts are looked at again. */
iq_outcome check_lifetimes(scene* self) {
  const iq_command* const command = self->command;
  iq_value text;
  iq_value json;
  char id[LOAN_SIZE];
  char path[LOAN_SIZE];
  int i;
  snprintf(id, sizeof id, "%.*s", (int)command->id.len, command->id.ptr);
  self->core->command_get(command, text_of("details.check"), &text);
  self->core->command_get(command, text_of("details"), &json);
  expect(&self->found, json.type == IQ_JSON && json.u.s.len > 2, "command_get: details is there");
  for (i = 0; i < GETS; ++i) {
    iq_value other;
    snprintf(path, sizeof path, "details.others.%d", i % 10);
    self->core->command_get(command, text_of(path), &other);
    expect(&self->found, other.type == IQ_JSON, "command_get: %s is there", path);
  }
  touch_user(self);
  row_of(self, "SELECT count(*) FROM balance", NULL, 0, 1);
  expect(&self->found, same(text.u.s, "lifetimes"), "command_get: lives as long as the command");
  expect(&self->found,
         json.u.s.ptr[0] == '{' && json.u.s.ptr[json.u.s.len - 1] == '}' &&
             same_text(json.u.s,
                       (self->core->command_get(command, text_of("details"), &text), text.u.s)),
         "command_get: lives as long as the command (an object)");
  expect(&self->found, same(command->id, id), "memory is borrowed for the duration of the call");
  return IQ_DONE;
}
