<?php

declare(strict_types=1);

namespace Iq\Peer;

/** A message that is sent as it is. */
final class Raw
{
    public function __construct(public readonly string $body)
    {
    }
}
