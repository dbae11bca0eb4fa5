-- The tables of the billing plugins, in SQLite. Amounts are in thousandths.
--
-- Beyond 64 bits SQLite silently computes with an inexact REAL. A `sum` has the type ANY, which
-- converts nothing, so that its CHECK sees such a number and refuses it, also one that later
-- arithmetic has brought back into the range.

CREATE TABLE IF NOT EXISTS balance (
  user_id INTEGER PRIMARY KEY,
  sum     ANY NOT NULL CHECK (typeof(sum) = 'integer' AND sum >= 0)
) STRICT;

CREATE TABLE IF NOT EXISTS blocked_money (
  uuid    TEXT PRIMARY KEY NOT NULL CHECK (length(uuid) <= 255),
  user_id INTEGER NOT NULL,
  sum     ANY NOT NULL CHECK (typeof(sum) = 'integer')
) STRICT;

CREATE TABLE IF NOT EXISTS transaction_log (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  type       INTEGER,  -- 1 income, 2 withdraw, 3 lock, 4 transfer
  sum        ANY CHECK (typeof(sum) IN ('integer', 'null')),
  user_id    INTEGER,
  details    TEXT CHECK (json_valid(details)),
  created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT;
