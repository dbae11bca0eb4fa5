-- $1 user, $2 sum, $3 uuid. The balance, if there is one; no row where there is no such hold.
WITH done AS (
  DELETE FROM blocked_money WHERE uuid = $3 AND user_id = $1 AND sum = $2::bigint
  RETURNING user_id
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 3, $2::bigint, user_id, jsonb_build_object('event', 'withdraw', 'uuid', $3::text) FROM done
)
SELECT (SELECT b.sum FROM balance AS b WHERE b.user_id = done.user_id) FROM done
