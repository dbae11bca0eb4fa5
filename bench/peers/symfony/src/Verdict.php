<?php

declare(strict_types=1);

namespace Iq\Peer;

use Symfony\Component\Messenger\Stamp\StampInterface;

/** What became of a command, as the journal keeps it. */
final class Verdict implements StampInterface
{
    /**
     * @param string  $outcome done, rejected or invalid
     * @param Event[] $events
     */
    public function __construct(
        public readonly string $outcome,
        public readonly ?string $code,
        public readonly ?string $reason,
        public readonly array $events,
    ) {
    }

    public function eventsAsJson(): string
    {
        return '['.implode(',', array_map(static fn (Event $event) => $event->body, $this->events)).']';
    }
}
