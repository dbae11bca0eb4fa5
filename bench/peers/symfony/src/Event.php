<?php

declare(strict_types=1);

namespace Iq\Peer;

final class Event
{
    private function __construct(
        public readonly string $name,
        public readonly string $id,
        public readonly string $occurredAt,
        public readonly string $body,
    ) {
    }

    public static function new(Identity $identity, string $name, array $data): self
    {
        return self::fromArray([
            'event' => $name,
            'id' => $identity->eventId(),
            'commandId' => $identity->id,
            'occurredAt' => self::now(),
            'data' => $data,
        ]);
    }

    public static function fromArray(array $event): self
    {
        $body = json_encode($event, \JSON_THROW_ON_ERROR | \JSON_UNESCAPED_UNICODE);

        return new self($event['event'], $event['id'], $event['occurredAt'], $body);
    }

    public static function now(): string
    {
        return (new \DateTimeImmutable('now', new \DateTimeZone('UTC')))->format('Y-m-d\TH:i:s.u\Z');
    }
}
