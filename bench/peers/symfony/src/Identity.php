<?php

declare(strict_types=1);

namespace Iq\Peer;

use Iq\Peer\Message\Command;
use Symfony\Component\Messenger\Bridge\Amqp\Transport\AmqpReceivedStamp;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Stamp\StampInterface;

/** Which command a message is. */
final class Identity implements StampInterface
{
    // RFC 4122's name space for object identifiers.
    private const OID_SPACE = '6ba7b812-9dad-11d1-80b4-00c04fd430c8';

    private function __construct(
        public readonly string $id, // As the producer gave it; a random UUID where it gave none.
        public readonly string $uuid, // The journal's key.
        public readonly string $hash, // SHA-256 of the body, in hex.
        public readonly string $correlationId,
        public readonly string $traceparent,
    ) {
    }

    public static function of(Envelope $envelope): self
    {
        /** @var Command $command */
        $command = $envelope->getMessage();
        $message = $envelope->last(AmqpReceivedStamp::class)->getAmqpEnvelope();
        $id = $message->getMessageId() ?: $command->id ?: self::randomUuid();
        $isUuid = preg_match('/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iD', $id);

        return new self(
            $id,
            $isUuid ? strtolower($id) : self::nameUuid(self::OID_SPACE, $id),
            hash('sha256', $command->body),
            (string) $message->getCorrelationId(),
            (string) ($message->getHeaders()['traceparent'] ?? ''),
        );
    }

    /** The same each time it is published. */
    public function eventId(): string
    {
        return self::nameUuid($this->uuid, '0');
    }

    public static function randomUuid(): string
    {
        return self::format(random_bytes(16), 4);
    }

    /** RFC 4122, version 5. */
    private static function nameUuid(string $space, string $name): string
    {
        return self::format(sha1(hex2bin(str_replace('-', '', $space)).$name, true), 5);
    }

    private static function format(string $bytes, int $version): string
    {
        $bytes[6] = \chr(\ord($bytes[6]) & 0x0F | $version << 4);
        $bytes[8] = \chr(\ord($bytes[8]) & 0x3F | 0x80);
        $hex = bin2hex(substr($bytes, 0, 16));

        return substr($hex, 0, 8).'-'.substr($hex, 8, 4).'-'.substr($hex, 12, 4).'-'
            .substr($hex, 16, 4).'-'.substr($hex, 20);
    }
}
