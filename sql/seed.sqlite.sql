-- Users to try iq with: 1 to 199, each with a whole amount from 0 to 1000 (in thousandths). Users who
-- have a balance already keep it.

WITH RECURSIVE users (user_id) AS (
  SELECT 1 UNION ALL SELECT user_id + 1 FROM users WHERE user_id < 199
)
INSERT INTO balance (user_id, sum)
SELECT user_id, (random() & 9223372036854775807) % 1001 * 1000
FROM users WHERE true
ON CONFLICT DO NOTHING;
