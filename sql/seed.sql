-- Users to try iq with: 1 to 199, each with a whole amount from 0 to 1000 (in thousandths). Users who
-- have a balance already keep it.

INSERT INTO public.balance (user_id, sum)
SELECT user_id, floor(random() * 1001)::bigint * 1000
FROM generate_series(1, 199) AS user_id
ON CONFLICT DO NOTHING;
