<?php

declare(strict_types=1);

namespace Iq\Peer\Message;

use Iq\Peer\Refused;

/** A message that is no command. */
final class Unreadable
{
    public function __construct(public readonly string $body, public readonly Refused $refused)
    {
    }
}
