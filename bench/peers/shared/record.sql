-- $1 journal key, $2 id as the producer gave it, $3 type, $4 outcome, $5 code, $6 reason, $7 events,
-- $8 SHA-256 of the body in hex, $9 name of the peer, $10 correlation id, $11 traceparent, $12 the
-- process, $13 a number that counts its commands.
INSERT INTO iq.journal (message_id, command_id, type, outcome, code, reason, events, payload_hash,
                        plugin, attempts, correlation_id, traceparent, worker, batch)
VALUES ($1, $2, $3, $4, $5, $6, $7, decode($8, 'hex'), $9, 1, $10, $11, $12, $13)
