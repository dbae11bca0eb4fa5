-- What the web page needs: which locks a command held, indexes to search the journal by, and who did
-- what from the page. `iq migrate` applies this file once; it is never changed afterwards.
--
-- The indexes are made in one go, and nobody writes to the journal meanwhile: with millions of rows
-- that takes a while, and is best done while no host runs.

-- The lock keys as the plan of the command named them; NULL in rows from before this file.
ALTER TABLE iq.journal ADD COLUMN keys text[];

CREATE INDEX journal_keys ON iq.journal USING gin (keys);
CREATE INDEX journal_type ON iq.journal (type, committed_at);
CREATE INDEX journal_rejected ON iq.journal (committed_at) WHERE outcome = 'rejected';

-- One row per act from the page, written before the act begins and again when it has ended. One that
-- stays 'begun' was cut short, and may have taken effect.
CREATE TABLE iq.audit (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       timestamptz NOT NULL DEFAULT now(),
  who      text NOT NULL,   -- The name of the token.
  action   text NOT NULL CHECK (action IN ('retry', 'drop', 'edit', 'send', 'seed', 'stop')),
  about    text,            -- The id of the message, where the act is about one.
  detail   jsonb NOT NULL,  -- An object.
  state    text NOT NULL DEFAULT 'begun' CHECK (state IN ('begun', 'done', 'failed', 'stopped')),
  result   text,
  ended_at timestamptz
);

CREATE INDEX audit_about ON iq.audit (about, id);
