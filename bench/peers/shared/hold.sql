-- $1 uuid.
SELECT user_id, sum FROM blocked_money WHERE uuid = $1
