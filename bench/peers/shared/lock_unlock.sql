-- $1 user, $2 sum, $3 uuid. The balance afterwards; no row where nothing was given back. The hold is
-- only deleted where its money can be.
WITH freed AS (
  DELETE FROM blocked_money WHERE uuid = $3 AND user_id = $1 AND sum = $2::bigint
    AND EXISTS (SELECT 1 FROM balance AS b
                WHERE b.user_id = $1 AND b.sum <= 9223372036854775807 - $2::bigint)
  RETURNING user_id
), done AS (
  UPDATE balance AS b SET sum = b.sum + $2::bigint FROM freed WHERE b.user_id = freed.user_id
  RETURNING b.user_id, b.sum
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 3, $2::bigint, user_id, jsonb_build_object('event', 'unlock', 'uuid', $3::text) FROM done
)
SELECT sum FROM done
