<?php

declare(strict_types=1);

namespace Iq\Peer;

/** A command that is not carried out: that is a result, not a failure. */
final class Refused extends \RuntimeException
{
    public function __construct(public readonly string $refusal, string $reason)
    {
        parent::__construct($reason);
    }
}
