/* Statements that succeed: parameters of every kind, and rows. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof(array)[0])

static const char blind_update[] = "UPDATE balance SET sum = $1 WHERE user_id = $2";
static const char balance_of[] = "SELECT sum FROM balance WHERE user_id = $1";

static iq_value user_of(const scene* self) {
  return int64_value(integer_at(self->core, self->command, "userId", 0));
}

/* Gives `value` to the store as `type`, and has it back. */
static void expect_returned(scene* self, const char* type, iq_value value) {
  char sql[LOAN_SIZE];
  const iq_value* column;
  snprintf(sql, sizeof sql, "SELECT CAST($1 AS %s)", type);
  column = row_of(self, sql, &value, 1, 1);
  if (column == NULL) return;
  expect(&self->found, same_value(column, &value),
         "query: a parameter of type %u reaches the statement (as %s it comes back with type %u)",
         (unsigned)value.type, type, (unsigned)column->type);
}

static void check_several(scene* self) {
  const iq_value args[] = {int64_value(7), text_value("seven"), null_value()};
  const iq_value* const row =
      row_of(self,
             "SELECT CAST($2 AS text), CAST($1 AS bigint), CAST($3 AS text), CAST($2 AS text), "
             "CAST($1 AS bigint) + 1",
             args, COUNT(args), 5);
  if (row == NULL) return;
  expect(&self->found,
         same(row[0].u.s, "seven") && row[1].u.i64 == 7 && row[2].type == IQ_NULL &&
             same(row[3].u.s, "seven") && row[4].u.i64 == 8,
         "query: parameters are $1, $2, …, in any order and more than once");
}

/* The host must not need it any more, whether or not the statement has reached the store. */
static void check_loans(scene* self) {
  const iq_value user = user_of(self);
  const iq_value* row;
  iq_value args[2];
  loan sql;
  loan text;
  iq_rc rc;
  args[0] = int64_value(4711);
  args[1] = user;
  rc = self->core->execute(self->context, lend(&sql, blind_update), args, 2);
  take_back(&sql);
  memset(args, 0x7f, sizeof args);
  expect(&self->found, rc >= 0, "execute: a statement runs (%d)", (int)rc);
  row = row_of(self, balance_of, &user, 1, 1);
  if (row == NULL) return;
  expect(&self->found, row->u.i64 == 4711, "memory is borrowed for the duration of the call");
  args[0] = text_value("");
  args[0].u.s = lend(&text, "borrowed");
  row = row_of(self, "SELECT CAST($1 AS text)", args, 1, 1);
  take_back(&text);
  if (row == NULL) return;
  expect(&self->found, same(row->u.s, "borrowed"), "a result has a copy of what was lent");
}

iq_outcome check_parameters(scene* self) {
  static const char some_bytes[] = {0, (char)0xff, 'a', '\\', '\'', 0};
  const iq_str bytes = setting(self->host, "types.bytes");
  char bytes_type[32];
  snprintf(bytes_type, sizeof bytes_type, "%.*s", (int)bytes.len, bytes.ptr);
  expect_returned(self, "bigint", null_value());
  expect_returned(self, "text", null_value());
  expect_returned(self, "boolean", bool_value(1));
  expect_returned(self, "boolean", bool_value(0));
  expect_returned(self, "bigint", int64_value(0));
  expect_returned(self, "bigint", int64_value(INT64_MAX));
  expect_returned(self, "bigint", int64_value(INT64_MIN));
  expect_returned(self, "double precision", double_value(0.1));
  expect_returned(self, "double precision", double_value(-1e300));
  expect_returned(self, "double precision", double_value(5e-324));
  expect_returned(self, "text", text_value(""));
  expect_returned(self, "text", text_value("\xC3\xBC'\"\\\n\t$1 {NULL}"));
  expect_returned(self, bytes_type, bytes_value(some_bytes, sizeof some_bytes));
  expect_returned(self, bytes_type, bytes_value("", 0));
  check_several(self);
  check_loans(self);
  return IQ_DONE;
}

static iq_value array_value(uint32_t type, const void* items, uint64_t count) {
  iq_value value = null_value();
  value.type = type;
  value.u.array.items = items;
  value.u.array.count = count;
  return value;
}

static void check_int64_array(scene* self) {
  static const char sql[] =
      "SELECT count(*), min(n), max(n) FROM unnest(CAST($1 AS bigint[])) AS t (n)";
  static const int64_t numbers[] = {INT64_MIN, 0, -1, INT64_MAX};
  const iq_value some = array_value(IQ_INT64_ARRAY, numbers, COUNT(numbers));
  const iq_value none = array_value(IQ_INT64_ARRAY, numbers, 0);
  const iq_value* row = row_of(self, sql, &some, 1, 3);
  expect(&self->found,
         row != NULL && row[0].u.i64 == 4 && row[1].u.i64 == INT64_MIN && row[2].u.i64 == INT64_MAX,
         "IQ_INT64_ARRAY: array.items points to `count` int64_t");
  row = row_of(self, sql, &none, 1, 3);
  expect(&self->found, row != NULL && row[0].u.i64 == 0 && row[1].type == IQ_NULL,
         "IQ_INT64_ARRAY: none is an array without items");
}

static void check_text_array(scene* self) {
  static const char sql[] = "SELECT unnest(CAST($1 AS text[]))";
  static const char* const texts[] = {"", "NULL", "a,b", "{\"\\}", "\xC3\xBC '", " "};
  iq_str items[COUNT(texts)];
  iq_value args;
  const iq_value* columns;
  iq_rows* rows;
  uint32_t count;
  uint32_t i;
  for (i = 0; i < COUNT(texts); ++i) items[i] = text_of(texts[i]);
  args = array_value(IQ_TEXT_ARRAY, items, COUNT(texts));
  rows = rows_of(self, sql, &args, 1);
  for (i = 0; rows != NULL && i < COUNT(texts); ++i) {
    const iq_rc rc = self->core->row_next(rows, &columns, &count);
    expect(&self->found, rc == 1 && columns[0].type == IQ_TEXT && same(columns[0].u.s, texts[i]),
           "IQ_TEXT_ARRAY: array.items points to `count` iq_str (%s)", texts[i]);
    if (rc != 1) return;
  }
}

/* A store that takes none says so, and nothing is done by halves. */
iq_outcome check_arrays(scene* self) {
  static const int64_t numbers[] = {1};
  const iq_value one = array_value(IQ_INT64_ARRAY, numbers, 1);
  iq_rows* rows = NULL;
  iq_rc rc;
  if (same(setting(self->host, "types.arrays"), "yes")) {
    check_int64_array(self);
    check_text_array(self);
    return IQ_DONE;
  }
  touch_user(self);
  rc = self->core->query(self->context, text_of("SELECT $1"), &one, 1, &rows);
  expect(&self->found, rc < 0, "query: a parameter that the store cannot take is an error (%d)",
         (int)rc);
  expect(&self->found, self->core->last_error(self->context).len > 0,
         "last_error: why the last failed call of this context failed");
  self->broken = 1;
  return IQ_DONE;
}

static const char three[] =
    "SELECT 1, 'a' UNION ALL SELECT 2, 'b' UNION ALL SELECT 3, NULL ORDER BY 1";

/* The next row, or NULL; `number` is what its first column must be, 0 for the end. */
static const iq_value* next(scene* self, iq_rows* rows, int64_t number) {
  const iq_value* columns = NULL;
  uint32_t count = 0;
  iq_rc rc;
  if (rows == NULL) return NULL;
  rc = self->core->row_next(rows, &columns, &count);
  if (number == 0) {
    expect(&self->found, rc == 0, "row_next: 0 at the end (%d)", (int)rc);
    return NULL;
  }
  expect(&self->found,
         rc == 1 && count == 2 && columns[0].type == IQ_INT64 && columns[0].u.i64 == number,
         "row_next: 1 and its columns (row %d gives %d, %u columns)", (int)number, (int)rc,
         (unsigned)count);
  return rc == 1 ? columns : NULL;
}

static void check_no_rows(scene* self, const char* sql) {
  const iq_value user = user_of(self);
  iq_rows* const rows = rows_of(self, sql, &user, 1);
  next(self, rows, 0);
  next(self, rows, 0);
}

iq_outcome check_rows(scene* self) {
  iq_rows* const some = rows_of(self, three, NULL, 0);
  iq_rows* const others = rows_of(self, three, NULL, 0);
  const iq_value* const first = next(self, some, 1);
  const iq_value* const theirs = next(self, others, 1);
  const iq_value* last;
  next(self, some, 2);
  last = next(self, some, 3);
  expect(&self->found, last != NULL && last[1].type == IQ_NULL, "row_next: a column may be NULL");
  next(self, some, 0);
  next(self, some, 0);
  next(self, others, 2);
  check_no_rows(self, "SELECT user_id, sum FROM balance WHERE user_id = $1 AND 1 = 0");
  check_no_rows(self, touch);
  next(self, others, 3);
  next(self, others, 0);
  expect(&self->found,
         first != NULL && theirs != NULL && first[0].u.i64 == 1 && same(first[1].u.s, "a") &&
             theirs[0].u.i64 == 1 && same(theirs[1].u.s, "a"),
         "iq_rows: a result. Dead after the call that made it returns: not before");
  return IQ_DONE;
}

/* Every word that abi.h allows, but MERGE, which not every store has. */
iq_outcome check_kinds(scene* self) {
  const iq_value user = user_of(self);
  const iq_value other = int64_value(-user.u.i64);
  row_of(self, "SELECT 1", NULL, 0, 1);
  row_of(self, "  \n\tselect 1", NULL, 0, 1);
  row_of(self, "SELECT 1;", NULL, 0, 1);
  row_of(self, "VALUES (1, 2)", NULL, 0, 2);
  row_of(self, "WITH one (n) AS (SELECT 1) SELECT n FROM one", NULL, 0, 1);
  row_of(self, "INSERT INTO balance (user_id, sum) VALUES ($1, 0) RETURNING user_id, sum", &other,
         1, 2);
  row_of(self, "UPDATE balance SET sum = sum + 1 WHERE user_id = $1 RETURNING sum", &other, 1, 1);
  row_of(self, "DELETE FROM balance WHERE user_id = $1 RETURNING sum", &other, 1, 1);
  execute(self, "SELECT sum FROM balance WHERE user_id = $1", &user, 1);
  touch_user(self);
  return IQ_DONE;
}
