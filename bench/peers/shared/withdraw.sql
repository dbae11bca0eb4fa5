-- $1 user, $2 sum. The balance afterwards; no row where nothing was debited.
WITH done AS (
  UPDATE balance SET sum = sum - $2::bigint WHERE user_id = $1 AND sum >= $2::bigint
  RETURNING user_id, sum
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 2, $2::bigint, user_id, '{}'::jsonb FROM done
)
SELECT sum FROM done
