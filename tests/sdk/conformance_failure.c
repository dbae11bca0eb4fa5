/* Statements that fail, are refused or come too late. The handler returns DONE all the same: what
 * the host makes of that is for the test to see. */
#include "conformance.h"

#include <time.h>

static const char harmless[] = "SELECT 1";

static iq_rc query(const scene* self, iq_str sql) {
  iq_rows* rows = NULL;
  return self->core->query(self->context, sql, NULL, 0, &rows);
}

static iq_rc run(const scene* self, const char* how, iq_str sql) {
  if (same(text_at(self->core, self->command, "details.how"), how)) {
    return self->core->execute(self->context, sql, NULL, 0);
  }
  return query(self, sql);
}

static void expect_last_error(scene* self, int any) {
  const iq_str why = self->core->last_error(self->context);
  expect(&self->found, (why.len > 0) == (any != 0),
         any ? "last_error: why the last failed call of this context failed"
             : "last_error: empty when none did");
}

/* Once a call has failed, the handler can only return. */
static void expect_state(scene* self) {
  const iq_rc asked = query(self, text_of(harmless));
  const iq_rc told = self->core->execute(self->context, text_of(harmless), NULL, 0);
  expect(&self->found, asked == IQ_E_STATE,
         "query: once a call has failed, the handler can only return: STATE (%d)", (int)asked);
  expect(&self->found, told == IQ_E_STATE,
         "execute: once a call has failed, the handler can only return: STATE (%d)", (int)told);
  expect_last_error(self, 1);
  self->broken = 1;
}

/* `details.sql` is no statement here. */
iq_outcome check_refused(scene* self) {
  iq_rc rc;
  touch_user(self);
  expect_last_error(self, 0);
  rc = run(self, "execute", text_at(self->core, self->command, "details.sql"));
  expect(&self->found, rc == IQ_E_INVALID,
         "query: transaction control is INVALID: only SELECT, INSERT, UPDATE, DELETE, WITH, VALUES "
         "and MERGE are statements here (%d)",
         (int)rc);
  expect_last_error(self, 1);
  expect_state(self);
  return IQ_DONE;
}

/* `details.sql` is a statement that fails. */
iq_outcome check_failed(scene* self) {
  iq_rc rc;
  touch_user(self);
  expect_last_error(self, 0);
  rc = query(self, text_at(self->core, self->command, "details.sql"));
  expect(&self->found, rc == IQ_E_SQL, "IQ_E_SQL: the statement failed (%d)", (int)rc);
  expect_last_error(self, 1);
  expect_state(self);
  return IQ_DONE;
}

/* As check_failed, but the failure may hide until the next query, or until the commit. */
iq_outcome check_late_failure(scene* self) {
  const iq_str sql = text_at(self->core, self->command, "details.sql");
  iq_rc rc;
  touch_user(self);
  rc = self->core->execute(self->context, sql, NULL, 0);
  expect(&self->found, rc == IQ_OK || rc == IQ_E_SQL,
         "execute: the host need not wait: a failure may show only later (%d)", (int)rc);
  self->broken = 1;
  if (!same(text_at(self->core, self->command, "details.how"), "query")) return IQ_DONE;
  rc = query(self, text_of(harmless));
  expect(&self->found, rc < 0, "query: it comes after a statement that failed (%d)", (int)rc);
  expect_state(self);
  return IQ_DONE;
}

iq_outcome check_deadline(scene* self) {
  const struct timespec pause = {0, 20 * 1000 * 1000};
  iq_rc rc;
  touch_user(self);
  while (self->core->time_left_us(self->context) >= 0) nanosleep(&pause, NULL);
  rc = query(self, text_of(harmless));
  expect(&self->found, rc == IQ_E_DEADLINE, "IQ_E_DEADLINE: the command's time is up (%d)",
         (int)rc);
  rc = self->core->execute(self->context, text_of(harmless), NULL, 0);
  expect(&self->found, rc == IQ_E_DEADLINE, "IQ_E_DEADLINE: the command's time is up (%d)",
         (int)rc);
  expect_last_error(self, 1);
  self->broken = 1;
  return IQ_DONE;
}
