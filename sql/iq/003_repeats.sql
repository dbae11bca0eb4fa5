-- How often a command that was decided already came again. `iq migrate` applies this file once; it
-- is never changed afterwards.

ALTER TABLE iq.journal
  ADD COLUMN repeats int NOT NULL DEFAULT 0,   -- Answered from this row.
  ADD COLUMN repeated_at timestamptz;          -- The last of them.
