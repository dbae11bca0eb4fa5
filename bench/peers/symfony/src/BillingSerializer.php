<?php

declare(strict_types=1);

namespace Iq\Peer;

use Iq\Peer\Message\Command;
use Iq\Peer\Message\Income;
use Iq\Peer\Message\Lock;
use Iq\Peer\Message\Transfer;
use Iq\Peer\Message\Unreadable;
use Iq\Peer\Message\Withdraw;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Stamp\RedeliveryStamp;
use Symfony\Component\Messenger\Transport\Serialization\SerializerInterface;

/**
 * Reads the plain JSON of the billing contract instead of Messenger's own format, and writes what is
 * sent as it is.
 */
final class BillingSerializer implements SerializerInterface
{
    private const RETRIES = 'x-iq-retries';

    public function decode(array $encodedEnvelope): Envelope
    {
        $body = $encodedEnvelope['body'];
        try {
            $envelope = new Envelope($this->command($body, $this->parse($body)));
        } catch (Refused $refused) {
            // The transport would reject it without a reason, and end the worker.
            $envelope = new Envelope(new Unreadable($body, $refused));
        }
        $retries = (int) ($encodedEnvelope['headers'][self::RETRIES] ?? 0);

        return $retries > 0 ? $envelope->with(new RedeliveryStamp($retries)) : $envelope;
    }

    public function encode(Envelope $envelope): array
    {
        $message = $envelope->getMessage();
        $retries = RedeliveryStamp::getRetryCountFromEnvelope($envelope);

        return [
            'body' => $message->body,
            'headers' => $retries > 0 ? [self::RETRIES => $retries] : [],
        ];
    }

    private function parse(string $body): array
    {
        $message = json_decode($body, true, 32);
        if (null === $message && \JSON_ERROR_NONE !== json_last_error()) {
            throw new Refused('malformed', json_last_error_msg());
        }
        if (!\is_array($message) || array_is_list($message)) {
            throw new Refused('schema', 'the body is not a JSON object');
        }
        // A float has lost digits: they are taken from the text.
        if (\is_float($message['sum'] ?? null) && preg_match('/"sum"\s*:\s*([\d.]+)/', $body, $digits)) {
            $message['sum'] = $digits[1];
        }

        return $message;
    }

    private function command(string $body, array $message): Command
    {
        $id = \is_string($message['id'] ?? null) ? $message['id'] : '';
        $user = self::user($message['userId'] ?? null);
        $sum = self::sum($message['sum'] ?? null);
        $details = $message['details'] ?? [];
        if (!\is_array($details)) {
            throw new Refused('schema', 'details: not an object');
        }
        switch ($message['type'] ?? null) {
            case 'income':
                return new Income($body, $id, $user, $sum);
            case 'withdraw':
                return new Withdraw($body, $id, $user, $sum);
            case 'transfer':
                return new Transfer($body, $id, $user, $sum, self::user($details['userFromId'] ?? null));
            case 'lock':
                $event = $details['event'] ?? null;
                $hold = $details['uuid'] ?? null;
                $known = \in_array($event, ['lock', 'withdraw', 'unlock'], true);
                if (!$known || !\is_string($hold) || '' === $hold || \strlen($hold) > 255) {
                    throw new Refused('schema', 'details: no known event, or no uuid');
                }

                return new Lock($body, $id, $user, $sum, $event, $hold);
            default:
                throw new Refused('unknown_type', 'nothing serves the type');
        }
    }

    private static function user(mixed $user): int
    {
        if (!\is_int($user) || $user < 1) {
            throw new Refused('schema', 'a user is missing, or not an integer above zero');
        }

        return $user;
    }

    /** Whole units with up to three decimals, as a number or as a text. */
    private static function sum(mixed $sum): int
    {
        $isText = \is_int($sum) || \is_string($sum);
        if (!$isText || 1 !== preg_match('/^(\d+)(?:\.(\d{1,3}))?$/D', (string) $sum, $parts)) {
            throw new Refused('schema', 'sum: missing, or not a number with up to three decimals');
        }
        $digits = $parts[1].str_pad($parts[2] ?? '', 3, '0');
        $thousandths = filter_var(ltrim($digits, '0'), \FILTER_VALIDATE_INT);
        if (false === $thousandths || $thousandths < 1) {
            throw new Refused('schema', 'sum: not above zero in 64 bits');
        }

        return $thousandths;
    }
}
