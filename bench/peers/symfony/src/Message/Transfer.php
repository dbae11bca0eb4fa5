<?php

declare(strict_types=1);

namespace Iq\Peer\Message;

final class Transfer extends Command
{
    public function __construct(
        string $body,
        string $id,
        int $user,
        int $sum,
        public readonly int $payer,
    ) {
        parent::__construct($body, $id, $user, $sum);
    }

    public function type(): string
    {
        return 'transfer';
    }

    public function keys(): array
    {
        $keys = array_unique(["iq:lock:user:{$this->user}", "iq:lock:user:{$this->payer}"]);
        sort($keys, \SORT_STRING);

        return $keys;
    }
}
