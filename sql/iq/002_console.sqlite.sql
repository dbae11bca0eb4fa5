-- What the web page needs: which locks a command held, indexes to search the journal by, and who did
-- what from the page. `iq migrate` applies this file once; it is never changed afterwards.

-- The lock keys as the plan of the command named them, a JSON array; NULL in rows from before this
-- file. They have no index: a search for one goes through the rows by time.
ALTER TABLE iq_journal ADD COLUMN keys TEXT CHECK (keys IS NULL OR json_valid(keys));

CREATE INDEX iq_journal_type ON iq_journal (type, committed_at);
CREATE INDEX iq_journal_rejected ON iq_journal (committed_at) WHERE outcome = 'rejected';

-- One row per act from the page, written before the act begins and again when it has ended. One that
-- stays 'begun' was cut short, and may have taken effect.
CREATE TABLE iq_audit (
  id       INTEGER PRIMARY KEY,
  at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
  who      TEXT NOT NULL,   -- The name of the token.
  action   TEXT NOT NULL CHECK (action IN ('retry', 'drop', 'edit', 'send', 'seed', 'stop')),
  about    TEXT,            -- The id of the message, where the act is about one.
  detail   TEXT NOT NULL CHECK (json_valid(detail)),  -- An object.
  state    TEXT NOT NULL DEFAULT 'begun' CHECK (state IN ('begun', 'done', 'failed', 'stopped')),
  result   TEXT,
  ended_at TEXT
) STRICT;

CREATE INDEX iq_audit_about ON iq_audit (about, id);
