<?php

declare(strict_types=1);

namespace Iq\Peer\Message;

final class Lock extends Command
{
    /**
     * @param string $event lock, withdraw or unlock
     * @param string $hold  the uuid of the money that is held
     */
    public function __construct(
        string $body,
        string $id,
        int $user,
        int $sum,
        public readonly string $event,
        public readonly string $hold,
    ) {
        parent::__construct($body, $id, $user, $sum);
    }

    public function type(): string
    {
        return 'lock';
    }

    public function keys(): array
    {
        return ["iq:lock:hold:{$this->hold}", "iq:lock:user:{$this->user}"];
    }
}
