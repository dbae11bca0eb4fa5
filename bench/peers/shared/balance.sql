-- $1 user.
SELECT sum FROM balance WHERE user_id = $1
