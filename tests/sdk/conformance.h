/* What the parts of the plugin "conformance" share. conformance.c tells what the plugin is for. */
#ifndef IQ_TESTS_SDK_CONFORMANCE_H
#define IQ_TESTS_SDK_CONFORMANCE_H

#define IQ_USE_MINOR 1
#include <iq/abi.h>

enum { VIOLATIONS_SIZE = 1500 };

/* How many clauses of abi.h were looked at, and which of them do not hold. */
typedef struct findings {
  uint32_t clauses;
  char violations[VIOLATIONS_SIZE]; /* Sentences, with "; " between. Empty: all hold. */
} findings;

/* The format says, in abi.h's words, what must hold. */
void expect(findings* found, int holds, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
void take_over(findings* found, const findings* others);

/* Logs a clause that does not hold: for what no command can tell. */
void complain(const iq_host* host, iq_context* context, const char* violation);

/* What initialises an iq_str of a table. */
#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

iq_str text_of(const char* text);
int same(iq_str text, const char* other);
int same_text(iq_str one, iq_str other);

/* A text that changes as soon as the call that it was lent to has returned: whoever keeps it has to
 * copy it. One call may have several. */
enum { LOAN_SIZE = 1024 };
typedef struct loan {
  char bytes[LOAN_SIZE];
} loan;
iq_str lend(loan* from, const char* text);
void take_back(loan* from);

iq_value null_value(void);
iq_value bool_value(int truth);
iq_value int64_value(int64_t number);
iq_value double_value(double number);
iq_value text_value(const char* text);
iq_value bytes_value(const char* bytes, uint64_t len);
/* A truth may come as an integer: SQLite has no other. */
int same_value(const iq_value* one, const iq_value* other);

/* Of a command's body; empty, or `otherwise`, where there is none of that type. */
iq_str text_at(const iq_core* core, const iq_command* command, const char* path);
int64_t integer_at(const iq_core* core, const iq_command* command, const char* path,
                   int64_t otherwise);
/* plugins.settings.conformance.KEY; empty where it is not set. */
iq_str setting(const iq_host* host, const char* key);

/* One command in the handler's hands. */
typedef struct scene {
  const iq_host* host;
  const iq_core* core;
  const iq_command* command;
  iq_context* context;
  const findings* planned; /* By the last plan of the check "plan". */
  int broken;              /* A statement has failed: all that is left is to return. */
  findings found;
} scene;

/* Looks at one topic, and says what to return when all of it holds. */
typedef iq_outcome check(scene* self);

check check_tables, check_settings, check_log, check_threads;           /* conformance_host.c */
check check_command, check_values, check_decimals, check_lifetimes;     /* conformance_command.c */
check check_parameters, check_arrays, check_rows, check_kinds;          /* conformance_sql.c */
check check_refused, check_failed, check_late_failure, check_deadline;  /* conformance_failure.c */
check check_plan, check_exclusion;                                      /* conformance_plan.c */
check check_fail, check_emit, check_clock, check_outcome, check_events; /* conformance_outcome.c */

/* What the check needs at planning; every other command locks its user's key. */
iq_outcome plan_for_check(const iq_core* core, const iq_command* command, iq_plan* plan,
                          findings* found);
iq_rc plan_key(const iq_core* core, iq_plan* plan, const char* prefix, int64_t number);

/* Ends a scene: counts what was looked at in the log and, with DONE, in an event. A violation makes
 * it a refusal that names the clauses. */
iq_outcome conclude(scene* self, const char* topic, iq_outcome outcome);

extern const char touch[]; /* Adds 1 to the balance of user $1. */

/* Run a statement that must succeed; 0 where it does not, and then the scene is broken. */
iq_rows* rows_of(scene* self, const char* sql, const iq_value* args, uint32_t count);
int execute(scene* self, const char* sql, const iq_value* args, uint32_t count);
/* The columns of the first row; NULL where there is none or one of another width. */
const iq_value* row_of(scene* self, const char* sql, const iq_value* args, uint32_t count,
                       uint32_t width);
int touch_user(scene* self);

/* In conformance_batch.c and conformance_event.c. */
extern const iq_command_type batch_type, shared_batch_type;
extern const iq_listener witness, star, hash;

/* In conformance.c: every handler and every listener is one of these, and says when it is entered
 * and left, so that the order of calls and their threads can be watched. */
typedef struct handler handler;
iq_rc create(const iq_host* host, void** out);
void destroy(void* self);
void enter(void* self);
void leave(void* self);
const iq_host* host_of(const void* self); /* Of NULL: what init was given. */

#endif
