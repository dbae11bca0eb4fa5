-- What was decided about a command before: $1 its journal key.
SELECT outcome, code, reason, events::text, encode(payload_hash, 'hex') FROM iq.journal
WHERE message_id = $1
