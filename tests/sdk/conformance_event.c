/* Listeners: what an event is when it comes to one, and which come.
 *
 *   witness, test.announced      checks the event, adds 1 to the balance of user data.witness and
 *                                returns data.returns
 *   star, test.*.heard           has neither create nor plan; adds 1 to that of user data.star
 *   hash, test.announced.#       adds 1 to that of user data.hash
 */
#include "conformance.h"

#include <string.h>

static iq_rc touch_of(const iq_core* core, const iq_command* event, iq_context* context,
                      const char* path) {
  const iq_value user = int64_value(integer_at(core, event, path, 0));
  return core->execute(context, text_of(touch), &user, 1);
}

static iq_outcome plan(void* me, const iq_command* event, iq_plan* out) {
  const iq_core* const core = host_of(me)->core;
  iq_rc rc;
  enter(me);
  rc = plan_key(core, out, "heard", integer_at(core, event, "data.witness", 0));
  leave(me);
  return rc == IQ_OK ? IQ_DONE : IQ_FATAL;
}

static void expect_document(scene* self) {
  const iq_command* const event = self->command;
  findings* const found = &self->found;
  iq_value data;
  const iq_rc rc = self->core->command_get(event, text_of("data"), &data);
  expect(found, same(event->type, "test.announced"), "on_event: its name is `type`");
  expect(found, same_text(text_at(self->core, event, "event"), event->type),
         "on_event: its document has `event`");
  expect(found, event->id.len > 0 && same_text(text_at(self->core, event, "id"), event->id),
         "on_event: its id is `id`");
  expect(found,
         same_text(text_at(self->core, event, "commandId"),
                   text_at(self->core, event, "data.commandId")),
         "on_event: its document has `commandId`");
  expect(found, text_at(self->core, event, "occurredAt").len > 0,
         "on_event: its document has `occurredAt`");
  expect(found, rc == IQ_OK && data.type == IQ_JSON, "on_event: its document has `data`");
  expect(found,
         event->body.len > 2 && event->body.ptr[0] == '{' &&
             event->body.ptr[event->body.len - 1] == '}',
         "on_event: its document is `body`");
  expect(found,
         same_text(event->correlation_id, text_at(self->core, event, "data.correlationId")) &&
             same_text(event->traceparent, text_at(self->core, event, "data.traceparent")),
         "on_event: the event comes as a command does, with its correlation and its trace");
  expect(found, event->attempt >= 1 && event->attempt <= event->attempts_max,
         "attempt: 1 for the first time");
}

static iq_outcome witness_event(void* me, const iq_command* event, iq_context* context) {
  scene self;
  iq_outcome outcome;
  enter(me);
  memset(&self, 0, sizeof self);
  self.host = host_of(me);
  self.core = self.host->core;
  self.command = event;
  self.context = context;
  expect_document(&self);
  expect(&self.found, touch_of(self.core, event, context, "data.witness") >= 0,
         "execute: a statement runs");
  outcome =
      conclude(&self, "event", (iq_outcome)integer_at(self.core, event, "data.returns", IQ_DONE));
  leave(me);
  return outcome;
}

static iq_outcome star_event(void* me, const iq_command* event, iq_context* context) {
  const iq_host* const host = host_of(NULL);
  if (me != NULL) complain(host, context, "create: optional: without, it is NULL");
  return touch_of(host->core, event, context, "data.star") < 0 ? IQ_FATAL : IQ_DONE;
}

static iq_outcome hash_event(void* me, const iq_command* event, iq_context* context) {
  iq_rc rc;
  enter(me);
  rc = touch_of(host_of(me)->core, event, context, "data.hash");
  leave(me);
  return rc < 0 ? IQ_FATAL : IQ_DONE;
}

const iq_listener witness = {
    .struct_size = sizeof(iq_listener),
    .name = TEXT("witness"),
    .pattern = TEXT("test.announced"),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .on_event = witness_event,
};
const iq_listener star = {
    .struct_size = sizeof(iq_listener),
    .name = TEXT("star"),
    .pattern = TEXT("test.*.heard"),
    .on_event = star_event,
};
const iq_listener hash = {
    .struct_size = sizeof(iq_listener),
    .name = TEXT("hash"),
    .pattern = TEXT("test.announced.#"),
    .create = create,
    .destroy = destroy,
    .on_event = hash_event,
};
