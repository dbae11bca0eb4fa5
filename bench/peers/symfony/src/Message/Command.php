<?php

declare(strict_types=1);

namespace Iq\Peer\Message;

/** A command of the billing contract. Sums are in thousandths. */
abstract class Command
{
    /** @param string $body the message as it came */
    public function __construct(
        public readonly string $body,
        public readonly string $id, // The one in the body, which may be empty.
        public readonly int $user,
        public readonly int $sum,
    ) {
    }

    abstract public function type(): string;

    /** @return string[] what the command locks, sorted */
    public function keys(): array
    {
        return ["iq:lock:user:{$this->user}"];
    }
}
