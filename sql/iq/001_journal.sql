-- What iq keeps for itself. `iq migrate` applies this file once; it is never changed afterwards.

CREATE SCHEMA IF NOT EXISTS iq;

-- One row per command that is decided for good: inbox (its key refuses a repetition), outbox (its
-- events are published from here) and audit trail in one.
CREATE TABLE iq.journal (
  message_id     uuid PRIMARY KEY,  -- command_id where that is a UUID, else its version 5.
  command_id     text NOT NULL,     -- The id as the producer gave it.
  type           text NOT NULL,
  outcome        text NOT NULL CHECK (outcome IN ('done', 'rejected')),
  code           text,              -- Why it was rejected.
  reason         text,
  events         jsonb NOT NULL,    -- An array of the event bodies as published.
  payload_hash   bytea NOT NULL,    -- Tells a repetition from another command with the same id.
  plugin         text NOT NULL,     -- NAME/VERSION
  attempts       int NOT NULL,
  correlation_id text,
  traceparent    text,
  worker         uuid NOT NULL,     -- With batch: what iq.worker says about this row's events.
  batch          bigint NOT NULL,
  committed_at   timestamptz NOT NULL DEFAULT now()
);

-- Pruning and the search for unconfirmed events go by time.
CREATE INDEX journal_committed_at ON iq.journal (committed_at);

-- One row per worker: all events of its batches up to `confirmed` are confirmed; batches after it
-- were committed not before `confirmed_at`.
CREATE TABLE iq.worker (
  id           uuid PRIMARY KEY,
  confirmed    bigint NOT NULL,
  confirmed_at timestamptz NOT NULL,
  seen_at      timestamptz NOT NULL,
  host         text,
  pid          int
);
