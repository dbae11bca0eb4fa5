-- $1 user, $2 sum, $3 uuid. The balance afterwards; no row where no money was held.
WITH done AS (
  UPDATE balance SET sum = sum - $2::bigint
  WHERE user_id = $1 AND sum >= $2::bigint
    AND NOT EXISTS (SELECT 1 FROM blocked_money WHERE uuid = $3)
  RETURNING user_id, sum
), held AS (
  INSERT INTO blocked_money (uuid, user_id, sum) SELECT $3, user_id, $2::bigint FROM done
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 3, $2::bigint, user_id, jsonb_build_object('event', 'lock', 'uuid', $3::text) FROM done
)
SELECT sum FROM done
