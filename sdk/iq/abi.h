/* iq plugin ABI, major 1: what a plugin and a host say to each other. Plain C99.
 *
 * A plugin is a shared library that exports one function, iq_plugin_v1, and links nothing of the
 * host. Everything else passes through tables.
 *
 * Rules, for the whole of a major version:
 * - A table begins with its size in bytes, as its writer knew it. A field beyond that size reads as
 *   zero: test with IQ_HAS. Tables only grow at their end. iq_str and iq_value never change.
 * - Memory is borrowed for the duration of the call, in both directions: the receiver copies what it
 *   keeps. Nobody frees what the other side allocated.
 * - No exception, longjmp or signal handler crosses the boundary.
 * - Text is UTF-8 with a length; no terminating NUL is needed or counted.
 *
 * Threads and call order, given in brackets at each function:
 *   [control]  one thread at a time; other generations and plugins may be at work meanwhile
 *   [worker]   the worker thread that owns the handler; two handlers of a type may run at once on
 *              two threads, one handler never does
 *   [plan]     [worker], inside plan
 *   [call]     [worker], inside handle, handle_batch or on_event
 *   [any]      any thread
 */
#ifndef IQ_ABI_H
#define IQ_ABI_H

/* NOLINTBEGIN(modernize-use-using, readability-identifier-naming): this is C. */
#include <stddef.h>
#include <stdint.h>

#define IQ_ABI_MAJOR 1u
#define IQ_ABI_MINOR 1u

/* The minor version that the author needs: define it before this is included. What came later is not
 * to be seen then, and a host of a lower minor refuses the plugin. */
#ifndef IQ_USE_MINOR
#define IQ_USE_MINOR 0u
#endif

#ifdef __cplusplus
#define IQ_EXTERN_C extern "C"
extern "C" {
#else
#define IQ_EXTERN_C
#endif
#define IQ_EXPORT IQ_EXTERN_C __attribute__((visibility("default")))

/* ---- values: frozen --------------------------------------------------------------------------- */

typedef struct iq_str {
  const char *ptr;
  uint64_t len; /* Bytes. */
} iq_str;

#define IQ_NULL 0u
#define IQ_BOOL 1u        /* i64 is 0 or 1. */
#define IQ_INT64 2u       /* i64 */
#define IQ_DOUBLE 3u      /* f64 */
#define IQ_TEXT 4u        /* s */
#define IQ_BYTES 5u       /* s */
#define IQ_INT64_ARRAY 6u /* array.items points to `count` int64_t. */
#define IQ_TEXT_ARRAY 7u  /* array.items points to `count` iq_str. */
#define IQ_JSON 8u        /* s: the text of a JSON object or array; only ever given by the host. */

typedef struct iq_value {
  uint32_t type;
  uint32_t reserved; /* 0 */
  union {
    int64_t i64;
    double f64;
    iq_str s;
    struct {
      const void *items;
      uint64_t count;
    } array;
  } u;
} iq_value;

/* ---- results ---------------------------------------------------------------------------------- */

/* 0 or positive is success. */
typedef int32_t iq_rc;
#define IQ_OK 0
#define IQ_E_INVALID (-1)     /* An argument is wrong: a statement that is not allowed, a bad name. */
#define IQ_E_STATE (-2)       /* Not now: the call belongs elsewhere, or the transaction is broken. */
#define IQ_E_DEADLINE (-3)    /* The command's time is up. */
#define IQ_E_CONFLICT (-4)    /* Another transaction was in the way; the host will run it again. */
#define IQ_E_UNAVAILABLE (-5) /* A server is away; the host will run the command again. */
#define IQ_E_UNSUPPORTED (-6)
#define IQ_E_SQL (-7)         /* The statement failed; last_error says why. */
#define IQ_E_NOT_FOUND (-8)
#define IQ_E_TYPE (-9)        /* There is something of another type, or out of range. */

/* What became of a command. An unknown number means what its hundred means; outside of those, fatal.
 * Whatever the outcome but DONE, nothing the handler did takes effect. */
typedef int32_t iq_outcome;
#define IQ_DONE 0      /*   0..99  commit, publish the events, ack */
#define IQ_REJECT 100  /* 100..199 a business refusal: final, recorded; fail() gives code and reason */
#define IQ_RETRY 200   /* 200..299 try again later, a limited number of times */
#define IQ_FATAL 300   /* 300..399 a fault: tried again as RETRY is, and reported as a failure */
#define IQ_INVALID 400 /* 400..499 the message breaks the type's rules in a way its schema cannot
                          express. For plan; in handle it means FATAL. */

/* ---- handles of the host ---------------------------------------------------------------------- */

typedef struct iq_context iq_context; /* One command being handled. Dead after the call. */
typedef struct iq_plan iq_plan;       /* One command being planned. Dead after the call. */
typedef struct iq_rows iq_rows;       /* A result. Dead after the call that made it returns. */

typedef struct iq_command {
  uint32_t struct_size;
  uint32_t attempt;      /* 1 for the first time that this command is tried. */
  uint32_t attempts_max; /* After this many it is dead-lettered. */
  uint32_t reserved;
  iq_str type;
  iq_str id;                /* The message id as the producer gave it; generated where it gave none. */
  iq_str body;              /* The JSON document as it came. */
  iq_str correlation_id;    /* Empty where the producer gave none. */
  iq_str traceparent;       /* W3C trace context; empty where the producer gave none. */
  int64_t timestamp_us;     /* The producer's, microseconds since 1970; 0 where it gave none. */
  const void *document;     /* The host's own. */
} iq_command;

/* ---- what the host offers --------------------------------------------------------------------- */

typedef struct iq_core {
  uint32_t struct_size;
  uint32_t minor;

  /* The value at `path` in the command's body; dots nest ("details.uuid"), and a number is an index
   * into an array ("items.0.sum"). NOT_FOUND when there is none. An object or array comes as IQ_JSON;
   * a number that is no 64-bit integer as IQ_DOUBLE. Lives as long as the command. [plan] [call] */
  iq_rc (*command_get)(const iq_command *command, iq_str path, iq_value *out);

  /* The decimal number at `path`, a JSON number or a string, times 10^scale, exactly. TYPE when it is
   * none, has an exponent or more than `scale` decimals, or does not fit; INVALID for a scale over 18.
   * [plan] [call] */
  iq_rc (*command_decimal)(const iq_command *command, iq_str path, uint32_t scale, int64_t *out);

  /* Names a lock key that must be held while the command is handled. At most 16, of 1 to 255 bytes each,
   * or it is INVALID; repeats are harmless. [plan] */
  iq_rc (*plan_lock)(iq_plan *plan, iq_str key);

  /* The refusal's code (lower_snake_case, at most 64 bytes) and its reason, for the outcome that the
   * call is about to return. Both are copied. */
  iq_rc (*plan_fail)(iq_plan *plan, iq_str code, iq_str reason);       /* [plan] */
  iq_rc (*fail)(iq_context *context, iq_str code, iq_str reason);      /* [call] */

  /* Runs one statement in the command's transaction and waits for its rows. Parameters are $1, $2, ….
   * Transaction control is INVALID: a statement begins with SELECT, INSERT, UPDATE, DELETE, WITH,
   * VALUES or MERGE, and not with a comment; two at once are an error of SQL. What still runs when the
   * command's time is up is cancelled: DEADLINE. Once a call has failed, the handler can only return.
   * Columns are NULL, BOOL, INT64, DOUBLE or BYTES, and everything else TEXT in the database's form;
   * SQLite has no BOOL, and takes no arrays. [call] */
  iq_rc (*query)(iq_context *context, iq_str sql, const iq_value *args, uint32_t count,
                 iq_rows **out);

  /* As query, but the host need not wait: a failure may show only later, and then costs the command
   * its outcome as if it had shown here. [call] */
  iq_rc (*execute)(iq_context *context, iq_str sql, const iq_value *args, uint32_t count);

  /* The next row: 1 and its columns, or 0 at the end. [call] */
  iq_rc (*row_next)(iq_rows *rows, const iq_value **columns, uint32_t *count);

  /* An event, published once the command has committed. `name` is its routing key, at most 255 bytes;
   * `data` a JSON object. [call] */
  iq_rc (*emit)(iq_context *context, iq_str name, iq_str data);

  /* Why the last failed call of this context failed. Empty when none did. [call] */
  iq_str (*last_error)(iq_context *context);

  /* Microseconds since 1970, and microseconds until the handler must have returned. [call] */
  int64_t (*now_us)(iq_context *context);
  int64_t (*time_left_us)(iq_context *context);
} iq_core;

#define IQ_LOG_DEBUG 0u
#define IQ_LOG_INFO 1u
#define IQ_LOG_WARN 2u
#define IQ_LOG_ERROR 3u

/* The host as one plugin sees it. Lives until the plugin's shutdown has returned. */
typedef struct iq_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  iq_str version; /* The host's own. */
  const iq_core *core;

  /* A line in the host's log, with the plugin's name. `context` may be NULL; with one, the line names
   * the command. Never log a command's body. [any], with a context [call] */
  void (*log)(const struct iq_host *host, iq_context *context, uint32_t level, iq_str message);

  /* The value of plugins.settings.PLUGIN.KEY as text; dots nest. NOT_FOUND when it is not set. Lives
   * as long as the host. [any] */
  iq_rc (*setting)(const struct iq_host *host, iq_str key, iq_str *out);

  /* Optional services by id, "iq.metrics/1"; NULL when this host has no such thing. [any] */
  const void *(*get_service)(const struct iq_host *host, iq_str id);
} iq_host;

/* Whether `table` was written with the field `field`, and it is set. */
#define IQ_HAS(table, field)                                                                 \
  ((table)->struct_size >= offsetof(__typeof__(*(table)), field) + sizeof((table)->field) && \
   (table)->field)

/* ---- what a plugin offers --------------------------------------------------------------------- */

/* A flag of a command type: its handle_batch takes commands that share lock keys, too. */
#define IQ_BATCH_SHARES_KEYS 1u

typedef struct iq_command_type {
  uint32_t struct_size;
  uint32_t flags; /* IQ_BATCH_SHARES_KEYS, or 0. A host does not look at bits it does not know. */
  iq_str type;
  iq_str schema; /* JSON Schema (draft 7) of the body. Empty: any object. */

  /* One handler for each worker thread. 0 or a negative iq_rc. Both are optional: without, `handler` is
   * NULL below. [worker] */
  iq_rc (*create)(const iq_host *host, void **handler);
  void (*destroy)(void *handler);

  /* Names the command's lock keys. Depends on the message alone, changes nothing, may run again. IQ_OK,
   * or IQ_INVALID after plan_fail. Optional: without, no locks. [worker] */
  iq_outcome (*plan)(void *handler, const iq_command *command, iq_plan *plan);

  /* Carries the command out. May run more than once before one run is committed, so it acts on nothing
   * but the transaction and emit. [worker] */
  iq_outcome (*handle)(void *handler, const iq_command *command, iq_context *context);

  /* Carries out `count` commands (at least 2) with pairwise disjoint lock keys, or, with
   * IQ_BATCH_SHARES_KEYS, with any, with exactly the meaning of handling them one by one in their
   * order; contexts[i] belongs to commands[i], and a statement through any
   * of them serves all. outcomes[i] is DONE on entry: set it to REJECT after fail(contexts[i], …) where
   * nothing was written for that command. Any other return than DONE, and any failed statement, discards
   * the run, and the host handles the commands one by one. Optional. [worker] */
  iq_outcome (*handle_batch)(void *handler, const iq_command *const *commands,
                             iq_context *const *contexts, iq_outcome *outcomes, uint32_t count);
} iq_command_type;

#if IQ_USE_MINOR >= 1u
/* Since 1.1. What a plugin does once an event has been published, whoever emitted it: at least once for
 * each, in no particular order, from a queue of its own, so that it holds up no command. */
typedef struct iq_listener {
  uint32_t struct_size;
  uint32_t flags; /* 0 */
  iq_str name;    /* As the plugin's; with that it names the queue, in which events wait while the plugin
                     is away. */
  iq_str pattern; /* Of names of events, whose words are parted by dots: * is one word, # any number. */

  /* As those of iq_command_type, and so are the threads. The event comes as a command does: its name is
   * `type`, its id `id`, and its document `body` ({"event","id","commandId","occurredAt","data"}). */
  iq_rc (*create)(const iq_host *host, void **listener);
  void (*destroy)(void *listener);
  iq_outcome (*plan)(void *listener, const iq_command *event, iq_plan *plan);

  /* What it writes and the note that it had the event are committed together: an event that comes again
   * is not handled again. Any outcome but DONE leaves the event for another attempt or for the dead-letter
   * queue, and is not published. [worker] */
  iq_outcome (*on_event)(void *listener, const iq_command *event, iq_context *context);
} iq_listener;
#endif

typedef struct iq_plugin {
  uint32_t struct_size;
  uint32_t abi_major;       /* IQ_ABI_MAJOR */
  uint32_t abi_minor_least; /* IQ_USE_MINOR: the least minor that the plugin can live with. */
  uint32_t abi_minor_built; /* IQ_ABI_MINOR of the header it was built with. */
  iq_str name;              /* lower_snake_case or kebab-case, at most 64 bytes. */
  iq_str version;
  const iq_command_type *const *commands;
  uint32_t command_count;
  uint32_t reserved;

  /* Once, before any other call into the plugin; negative refuses to serve. Optional. [control] */
  iq_rc (*init)(const iq_host *host);
  /* Once, after every handler is destroyed. Optional. [control] */
  void (*shutdown)(void);
  /* Optional abilities by id; NULL for what it does not know. Optional. [any] */
  const void *(*get_extension)(iq_str id);

#if IQ_USE_MINOR >= 1u
  const iq_listener *const *listeners; /* Since 1.1. */
  uint32_t listener_count;
  uint32_t reserved_2;
#endif
} iq_plugin;

/* The one exported function. The table lives as long as the library is loaded. [control] */
IQ_EXPORT const iq_plugin *iq_plugin_v1(void);
#define IQ_ENTRY_POINT "iq_plugin_v1"

/* ---- extensions: optional ---------------------------------------------------------------------- */

/* What get_extension may be asked for once init has returned: which events the plugin may emit, for those
 * who describe them to others, as `iq asyncapi` does. Nothing that it emits is held to it. A const iq_str
 * that lives as long as the library is loaded, with a JSON array of objects: a key is an event's name, its
 * value the JSON Schema (draft 7) of the event's data. [] says that it emits none; NULL, that it does not
 * say. */
#define IQ_EXTENSION_EVENTS "iq.events/1"

/* ---- manifest: optional, frozen ---------------------------------------------------------------- */

/* Who the plugin is, for those who do not run its code: an ELF note in the section below, with owner
 * "IQ" and type IQ_MANIFEST_TYPE. What the table says is what counts. A plugin
 * without a note is served all the same; one whose note names an ABI that the host does not speak is
 * refused before any of its code has run. */
#define IQ_MANIFEST_SECTION ".note.iq"
#define IQ_MANIFEST_OWNER "IQ"
#define IQ_MANIFEST_TYPE 1u

/* What the note begins with. Then come, each with a terminating NUL, the plugin's name, its version and
 * its command types. */
typedef struct iq_manifest {
  uint32_t owner_size;   /* Bytes of `owner` without its padding. */
  uint32_t content_size; /* Bytes from abi_major on. */
  uint32_t type;         /* IQ_MANIFEST_TYPE */
  char owner[4];         /* IQ_MANIFEST_OWNER */
  uint32_t abi_major;    /* These three are as in iq_plugin. */
  uint32_t abi_minor_least;
  uint32_t abi_minor_built;
  uint32_t reserved; /* 0 */
} iq_manifest;

#define IQ_MANIFEST_ATTRIBUTES __attribute__((section(IQ_MANIFEST_SECTION), used, aligned(4)))
#define IQ_MANIFEST_HEAD(text_size)                                                            \
  {                                                                                            \
    sizeof(IQ_MANIFEST_OWNER), 4u * sizeof(uint32_t) + (text_size), IQ_MANIFEST_TYPE,          \
        IQ_MANIFEST_OWNER, IQ_ABI_MAJOR, IQ_USE_MINOR, IQ_ABI_MINOR, 0u                        \
  }

/* The note of a plugin in C; IQ_PLUGIN of plugin.h makes its own. Once, outside of any function, with
 * string literals: IQ_PLUGIN_NOTE("hello", "1.0.0", "hello.greet" "\0" "hello.leave"); */
#define IQ_PLUGIN_NOTE(name, version, types)                                                   \
  IQ_MANIFEST_ATTRIBUTES static const struct {                                                 \
    iq_manifest head;                                                                          \
    char text[sizeof(name "\0" version "\0" types)];                                           \
  } iq_plugin_note = {IQ_MANIFEST_HEAD(sizeof(name "\0" version "\0" types)),                  \
                      name "\0" version "\0" types}

#ifdef __cplusplus
}
#endif
/* NOLINTEND(modernize-use-using, readability-identifier-naming) */
#endif
