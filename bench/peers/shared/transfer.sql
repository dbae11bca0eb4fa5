-- $1 receiver, $2 sum, $3 payer. Both balances afterwards; no row where nothing was moved.
WITH done AS (
  UPDATE balance
  SET sum = CASE WHEN user_id = $3 THEN sum - $2::bigint ELSE sum + $2::bigint END
  WHERE user_id IN ($1, $3)
    AND CASE WHEN user_id = $3 THEN sum >= $2::bigint
             ELSE sum <= 9223372036854775807 - $2::bigint END
    AND 2 = (SELECT count(*) FROM balance
             WHERE (user_id = $3 AND sum >= $2::bigint)
                OR (user_id = $1 AND sum <= 9223372036854775807 - $2::bigint))
  RETURNING user_id, sum
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 4, $2::bigint, user_id, jsonb_build_object('user_from_id', $3::bigint)
  FROM done WHERE user_id = $1
)
SELECT max(sum) FILTER (WHERE user_id = $1), max(sum) FILTER (WHERE user_id = $3)
FROM done HAVING count(*) > 0
