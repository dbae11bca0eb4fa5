-- What iq keeps for itself, in SQLite: without schemas, and with times as text that sorts as they do.
-- `iq migrate` applies this file once; it is never changed afterwards.

-- One row per command that is decided for good: inbox (its key refuses a repetition), outbox (its
-- events are published from here) and audit trail in one.
CREATE TABLE iq_journal (
  message_id     TEXT PRIMARY KEY NOT NULL,  -- command_id where that is a UUID, else its version 5.
  command_id     TEXT NOT NULL,              -- The id as the producer gave it.
  type           TEXT NOT NULL,
  outcome        TEXT NOT NULL CHECK (outcome IN ('done', 'rejected')),
  code           TEXT,                       -- Why it was rejected.
  reason         TEXT,
  events         TEXT NOT NULL CHECK (json_valid(events)),  -- An array of the bodies as published.
  payload_hash   TEXT NOT NULL,              -- Hex. Tells a repetition from another command with
                                             -- the same id.
  plugin         TEXT NOT NULL,              -- NAME/VERSION
  attempts       INTEGER NOT NULL,
  correlation_id TEXT,
  traceparent    TEXT,
  worker         TEXT NOT NULL,              -- With batch: what iq_worker says about its events.
  batch          INTEGER NOT NULL,
  committed_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT;

-- Pruning and the search for unconfirmed events go by time.
CREATE INDEX iq_journal_committed_at ON iq_journal (committed_at);

-- One row per worker: all events of its batches up to `confirmed` are confirmed; batches after it
-- were committed not before `confirmed_at`.
CREATE TABLE iq_worker (
  id           TEXT PRIMARY KEY NOT NULL,
  confirmed    INTEGER NOT NULL,
  confirmed_at TEXT NOT NULL,
  seen_at      TEXT NOT NULL,
  host         TEXT,
  pid          INTEGER
) STRICT;
