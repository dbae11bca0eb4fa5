-- How often a command that was decided already came again. `iq migrate` applies this file once; it
-- is never changed afterwards.

ALTER TABLE iq_journal ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;  -- Answered from this row.
ALTER TABLE iq_journal ADD COLUMN repeated_at TEXT;                    -- The last of them.
