<?php

declare(strict_types=1);

namespace Iq\Peer;

use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Exception\RecoverableMessageHandlingException;
use Symfony\Component\Messenger\Middleware\MiddlewareInterface;
use Symfony\Component\Messenger\Middleware\StackInterface;

/** Runs the rest of the stack while the keys of the command are held in Redis. */
final class LockMiddleware implements MiddlewareInterface
{
    private const LEASE_MS = 30_000;
    private const PATIENCE_S = 2;
    private const PAUSE_US = 1_000;
    private const PAUSE_US_MAX = 32_000;

    private string $take;
    private string $giveBack;

    public function __construct(private readonly \Redis $redis, string $shared)
    {
        $this->take = $redis->script('load', file_get_contents("$shared/take.lua"));
        $this->giveBack = $redis->script('load', file_get_contents("$shared/give_back.lua"));
    }

    public function handle(Envelope $envelope, StackInterface $stack): Envelope
    {
        $keys = $envelope->getMessage()->keys();
        $token = bin2hex(random_bytes(16));
        $this->take($keys, $token);
        try {
            return $stack->next()->handle($envelope, $stack);
        } finally {
            $this->redis->evalSha($this->giveBack, [...$keys, $token], \count($keys));
        }
    }

    /** Takes all keys together, and waits where somebody else has one. */
    private function take(array $keys, string $token): void
    {
        $deadline = microtime(true) + self::PATIENCE_S;
        $pause = self::PAUSE_US;
        while (1 !== $this->redis->evalSha($this->take, [...$keys, $token, self::LEASE_MS], \count($keys))) {
            if (null !== $error = $this->redis->getLastError()) {
                throw new \RuntimeException($error);
            }
            if (microtime(true) > $deadline) {
                throw new RecoverableMessageHandlingException('A lock was taken for too long.');
            }
            usleep(random_int(intdiv($pause, 2), $pause + intdiv($pause, 2)));
            $pause = min(2 * $pause, self::PAUSE_US_MAX);
        }
    }
}
