/* The words in which the checks are written. */
#include "conformance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void expect(findings* found, int holds, const char* format, ...) {
  const size_t used = strlen(found->violations);
  char* const end = found->violations + used;
  const size_t room = sizeof found->violations - used;
  const int lead = used == 0 ? 0 : 2;
  va_list values;

  ++found->clauses;
  if (holds || room < 4) return;
  strcpy(end, used == 0 ? "" : "; ");
  va_start(values, format);
  vsnprintf(end + lead, room - (size_t)lead, format, values);
  va_end(values);
}

void take_over(findings* found, const findings* others) {
  found->clauses += others->clauses;
  if (others->violations[0] != '\0') expect(found, 0, "%s", others->violations);
}

void complain(const iq_host* host, iq_context* context, const char* violation) {
  char line[VIOLATIONS_SIZE + 16];
  snprintf(line, sizeof line, "violated: %s", violation);
  host->log(host, context, IQ_LOG_ERROR, text_of(line));
}

iq_str text_of(const char* text) {
  iq_str out;
  out.ptr = text;
  out.len = strlen(text);
  return out;
}

int same(iq_str text, const char* other) { return same_text(text, text_of(other)); }

int same_text(iq_str one, iq_str other) {
  return one.len == other.len && (one.len == 0 || memcmp(one.ptr, other.ptr, one.len) == 0);
}

iq_str lend(loan* from, const char* text) {
  snprintf(from->bytes, sizeof from->bytes, "%s", text);
  return text_of(from->bytes);
}

void take_back(loan* from) { memset(from->bytes, '#', sizeof from->bytes); }

static iq_value value_of(uint32_t type) {
  iq_value value;
  memset(&value, 0, sizeof value);
  value.type = type;
  return value;
}

iq_value null_value(void) { return value_of(IQ_NULL); }

iq_value bool_value(int truth) {
  iq_value value = value_of(IQ_BOOL);
  value.u.i64 = truth;
  return value;
}

iq_value int64_value(int64_t number) {
  iq_value value = value_of(IQ_INT64);
  value.u.i64 = number;
  return value;
}

iq_value double_value(double number) {
  iq_value value = value_of(IQ_DOUBLE);
  value.u.f64 = number;
  return value;
}

iq_value text_value(const char* text) {
  iq_value value = value_of(IQ_TEXT);
  value.u.s = text_of(text);
  return value;
}

iq_value bytes_value(const char* bytes, uint64_t len) {
  iq_value value = value_of(IQ_BYTES);
  value.u.s.ptr = bytes;
  value.u.s.len = len;
  return value;
}

static uint32_t plain_type(const iq_value* value) {
  return value->type == IQ_BOOL ? IQ_INT64 : value->type;
}

int same_value(const iq_value* one, const iq_value* other) {
  if (plain_type(one) != plain_type(other) || one->reserved != 0) return 0;
  switch (plain_type(one)) {
    case IQ_NULL:
      return 1;
    case IQ_INT64:
      return one->u.i64 == other->u.i64;
    case IQ_DOUBLE:
      return memcmp(&one->u.f64, &other->u.f64, sizeof one->u.f64) == 0;
    default:
      return same_text(one->u.s, other->u.s);
  }
}

iq_str text_at(const iq_core* core, const iq_command* command, const char* path) {
  iq_value value;
  if (core->command_get(command, text_of(path), &value) != IQ_OK || value.type != IQ_TEXT) {
    return text_of("");
  }
  return value.u.s;
}

int64_t integer_at(const iq_core* core, const iq_command* command, const char* path,
                   int64_t otherwise) {
  iq_value value;
  if (core->command_get(command, text_of(path), &value) != IQ_OK || value.type != IQ_INT64) {
    return otherwise;
  }
  return value.u.i64;
}

iq_str setting(const iq_host* host, const char* key) {
  iq_str value = {"", 0};
  if (host->setting(host, text_of(key), &value) != IQ_OK) return text_of("");
  return value;
}

const char touch[] = "UPDATE balance SET sum = sum + 1 WHERE user_id = $1";

static int succeeded(scene* self, const char* call, const char* sql, iq_rc rc) {
  const iq_str why = self->core->last_error(self->context);
  expect(&self->found, rc >= 0, "%s: a statement runs (%s gives %d, %.*s)", call, sql, (int)rc,
         (int)why.len, why.ptr);
  if (rc < 0) self->broken = 1;
  return rc >= 0;
}

iq_rows* rows_of(scene* self, const char* sql, const iq_value* args, uint32_t count) {
  iq_rows* rows = NULL;
  iq_rc rc;
  if (self->broken) return NULL;
  rc = self->core->query(self->context, text_of(sql), args, count, &rows);
  return succeeded(self, "query", sql, rc) ? rows : NULL;
}

int execute(scene* self, const char* sql, const iq_value* args, uint32_t count) {
  if (self->broken) return 0;
  return succeeded(self, "execute", sql,
                   self->core->execute(self->context, text_of(sql), args, count));
}

const iq_value* row_of(scene* self, const char* sql, const iq_value* args, uint32_t count,
                       uint32_t width) {
  const iq_value* columns = NULL;
  uint32_t columns_count = 0;
  iq_rows* const rows = rows_of(self, sql, args, count);
  iq_rc rc;
  if (rows == NULL) return NULL;
  rc = self->core->row_next(rows, &columns, &columns_count);
  expect(&self->found, rc == 1 && columns_count == width,
         "row_next: the next row: 1 and its columns (%s gives %d and %u)", sql, (int)rc,
         (unsigned)columns_count);
  return rc == 1 && columns_count == width ? columns : NULL;
}

int touch_user(scene* self) {
  const iq_value user = int64_value(integer_at(self->core, self->command, "userId", 0));
  return execute(self, touch, &user, 1);
}
