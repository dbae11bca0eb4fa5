-- The tables of the billing plugins. Amounts are in thousandths. Where the tables of the system that
-- iq replaces stand already, they are kept as they are.

CREATE TABLE IF NOT EXISTS public.balance (
  user_id bigint PRIMARY KEY,
  sum     bigint NOT NULL CHECK (sum >= 0)
);

CREATE TABLE IF NOT EXISTS public.blocked_money (
  uuid    varchar(255) PRIMARY KEY,
  user_id bigint NOT NULL,
  sum     bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS public.transaction_log (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  type       int,  -- 1 income, 2 withdraw, 3 lock, 4 transfer
  sum        bigint,
  user_id    bigint,
  details    jsonb,
  created_at timestamptz DEFAULT now()
);
