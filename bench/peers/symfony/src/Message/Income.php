<?php

declare(strict_types=1);

namespace Iq\Peer\Message;

final class Income extends Command
{
    public function type(): string
    {
        return 'income';
    }
}
