// One statement for all commands of one kind whose keys are disjoint.
//
// Each answers for every command with the columns of Effect, its place in the arrays first. Where
// nothing was written the balances are read by the same statement, whose snapshot is from before
// it: what hindered the command is what is told.
#pragma once

#include <array>

#include "bench/peers/floor/command.h"

namespace iq::bench::floor {

// $1 users, $2 sums.
inline constexpr const char* kIncome = R"sql(
WITH input AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS t (user_id, amount, i)
), done AS (
  UPDATE balance AS b SET sum = b.sum + input.amount FROM input
  WHERE b.user_id = input.user_id AND b.sum <= 9223372036854775807 - input.amount
  RETURNING input.i, input.user_id, input.amount, b.sum
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 1, amount, user_id, '{}'::jsonb FROM done
)
SELECT i - 1, true, sum, NULL::bigint, NULL::bigint, NULL::bigint FROM done
UNION ALL
SELECT i - 1, false, (SELECT b.sum FROM balance AS b WHERE b.user_id = input.user_id),
       NULL, NULL, NULL
FROM input WHERE i NOT IN (SELECT i FROM done))sql";

// $1 users, $2 sums.
inline constexpr const char* kWithdraw = R"sql(
WITH input AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS t (user_id, amount, i)
), done AS (
  UPDATE balance AS b SET sum = b.sum - input.amount FROM input
  WHERE b.user_id = input.user_id AND b.sum >= input.amount
  RETURNING input.i, input.user_id, input.amount, b.sum
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 2, amount, user_id, '{}'::jsonb FROM done
)
SELECT i - 1, true, sum, NULL::bigint, NULL::bigint, NULL::bigint FROM done
UNION ALL
SELECT i - 1, false, (SELECT b.sum FROM balance AS b WHERE b.user_id = input.user_id),
       NULL, NULL, NULL
FROM input WHERE i NOT IN (SELECT i FROM done))sql";

// $1 users, $2 sums, $3 payers. One row for each end of each transfer that fits. Of a transfer of
// which only one end could be written it says nothing: its batch must not be committed.
inline constexpr const char* kTransfer = R"sql(
WITH input AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
  WITH ORDINALITY AS t (receiver, amount, payer, i)
), fit AS (
  SELECT input.* FROM input
  JOIN balance AS p ON p.user_id = input.payer AND p.sum >= input.amount
  JOIN balance AS r ON r.user_id = input.receiver AND r.sum <= 9223372036854775807 - input.amount
  WHERE input.payer <> input.receiver
), leg AS (
  SELECT i, amount, payer AS user_id, payer, false AS credit FROM fit
  UNION ALL
  SELECT i, amount, receiver, payer, true FROM fit
), moved AS (
  UPDATE balance AS b
  SET sum = CASE WHEN leg.credit THEN b.sum + leg.amount ELSE b.sum - leg.amount END
  FROM leg
  WHERE b.user_id = leg.user_id
    AND CASE WHEN leg.credit THEN b.sum <= 9223372036854775807 - leg.amount
             ELSE b.sum >= leg.amount END
  RETURNING leg.i, leg.amount, leg.user_id, leg.payer, leg.credit, b.sum
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 4, amount, user_id, jsonb_build_object('user_from_id', payer) FROM moved WHERE credit
)
SELECT i - 1, true, max(sum) FILTER (WHERE credit), max(sum) FILTER (WHERE NOT credit),
       NULL::bigint, NULL::bigint
FROM moved GROUP BY i HAVING count(*) = 2
UNION ALL
SELECT i - 1, false, (SELECT b.sum FROM balance AS b WHERE b.user_id = input.receiver),
       (SELECT b.sum FROM balance AS b WHERE b.user_id = input.payer), NULL, NULL
FROM input WHERE i NOT IN (SELECT i FROM fit))sql";

// $1 users, $2 sums, $3 uuids.
inline constexpr const char* kHold = R"sql(
WITH input AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
  WITH ORDINALITY AS t (user_id, amount, uuid, i)
), done AS (
  UPDATE balance AS b SET sum = b.sum - input.amount FROM input
  WHERE b.user_id = input.user_id AND b.sum >= input.amount
    AND NOT EXISTS (SELECT 1 FROM blocked_money AS h WHERE h.uuid = input.uuid)
  RETURNING input.i, input.user_id, input.amount, input.uuid, b.sum
), held AS (
  INSERT INTO blocked_money (uuid, user_id, sum) SELECT uuid, user_id, amount FROM done
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 3, amount, user_id, jsonb_build_object('event', 'lock', 'uuid', uuid) FROM done
)
SELECT i - 1, true, sum, NULL::bigint, NULL::bigint, NULL::bigint FROM done
UNION ALL
SELECT i - 1, false, (SELECT b.sum FROM balance AS b WHERE b.user_id = input.user_id), NULL,
       (SELECT h.user_id FROM blocked_money AS h WHERE h.uuid = input.uuid), NULL
FROM input WHERE i NOT IN (SELECT i FROM done))sql";

// $1 users, $2 sums, $3 uuids. The money is gone already: the balance is only told.
inline constexpr const char* kCapture = R"sql(
WITH input AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
  WITH ORDINALITY AS t (user_id, amount, uuid, i)
), done AS (
  DELETE FROM blocked_money AS h USING input
  WHERE h.uuid = input.uuid AND h.user_id = input.user_id AND h.sum = input.amount
  RETURNING input.i, input.user_id, input.amount, input.uuid
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 3, amount, user_id, jsonb_build_object('event', 'withdraw', 'uuid', uuid) FROM done
)
SELECT i - 1, true, (SELECT b.sum FROM balance AS b WHERE b.user_id = done.user_id),
       NULL::bigint, NULL::bigint, NULL::bigint
FROM done
UNION ALL
SELECT i - 1, false, (SELECT b.sum FROM balance AS b WHERE b.user_id = input.user_id), NULL,
       (SELECT h.user_id FROM blocked_money AS h WHERE h.uuid = input.uuid),
       (SELECT h.sum FROM blocked_money AS h WHERE h.uuid = input.uuid)
FROM input WHERE i NOT IN (SELECT i FROM done))sql";

// $1 users, $2 sums, $3 uuids. A hold is only deleted where its money can be given back.
inline constexpr const char* kRelease = R"sql(
WITH input AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
  WITH ORDINALITY AS t (user_id, amount, uuid, i)
), freed AS (
  DELETE FROM blocked_money AS h USING input
  WHERE h.uuid = input.uuid AND h.user_id = input.user_id AND h.sum = input.amount
    AND EXISTS (SELECT 1 FROM balance AS b WHERE b.user_id = input.user_id
                AND b.sum <= 9223372036854775807 - input.amount)
  RETURNING input.i, input.user_id, input.amount, input.uuid
), done AS (
  UPDATE balance AS b SET sum = b.sum + freed.amount FROM freed
  WHERE b.user_id = freed.user_id
  RETURNING freed.i, freed.user_id, freed.amount, freed.uuid, b.sum
), logged AS (
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 3, amount, user_id, jsonb_build_object('event', 'unlock', 'uuid', uuid) FROM done
)
SELECT i - 1, true, sum, NULL::bigint, NULL::bigint, NULL::bigint FROM done
UNION ALL
SELECT i - 1, false, (SELECT b.sum FROM balance AS b WHERE b.user_id = input.user_id), NULL,
       (SELECT h.user_id FROM blocked_money AS h WHERE h.uuid = input.uuid),
       (SELECT h.sum FROM blocked_money AS h WHERE h.uuid = input.uuid)
FROM input WHERE i NOT IN (SELECT i FROM freed))sql";

inline constexpr std::array<const char*, kKinds> kStatements{kIncome, kWithdraw, kTransfer,
                                                             kHold,   kCapture,  kRelease};

// $1 ids.
inline constexpr const char* kRecall =
    "SELECT message_id, outcome, code, reason, events::text, payload_hash FROM iq.journal "
    "WHERE message_id = ANY($1)";

// $1 to $11 are arrays, the last one's items arrays as text; $12 and $13 are the process and the
// number of its batch.
inline constexpr const char* kRecord = R"sql(
INSERT INTO iq.journal (message_id, command_id, type, outcome, code, reason, events, payload_hash,
                        correlation_id, traceparent, keys, plugin, attempts, worker, batch)
SELECT message_id, command_id, type, outcome, code, reason, events, payload_hash, correlation_id,
       traceparent, keys::text[], 'floor/1', 1, $12, $13
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[],
            $8::bytea[], $9::text[], $10::text[], $11::text[])
  AS line (message_id, command_id, type, outcome, code, reason, events, payload_hash,
           correlation_id, traceparent, keys))sql";

}  // namespace iq::bench::floor
