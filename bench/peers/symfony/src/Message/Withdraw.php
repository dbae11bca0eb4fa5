<?php

declare(strict_types=1);

namespace Iq\Peer\Message;

final class Withdraw extends Command
{
    public function type(): string
    {
        return 'withdraw';
    }
}
