<?php

declare(strict_types=1);

namespace Iq\Peer;

use Doctrine\DBAL\Exception\UniqueConstraintViolationException;
use Iq\Peer\Message\Command;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Exception\HandlerFailedException;
use Symfony\Component\Messenger\Middleware\MiddlewareInterface;
use Symfony\Component\Messenger\Middleware\StackInterface;
use Symfony\Component\Messenger\Stamp\HandledStamp;

/**
 * Decides a command, once for all: of a copy it says what was decided before. Nothing is looked up
 * first: the journal's key tells a copy.
 */
final class TransactionMiddleware implements MiddlewareInterface
{
    public function __construct(private readonly Store $store)
    {
    }

    public function handle(Envelope $envelope, StackInterface $stack): Envelope
    {
        $identity = $envelope->last(Identity::class);
        $connection = $this->store->connection;
        $connection->beginTransaction();
        try {
            $verdict = $this->carryOut($envelope, $stack);
            $this->store->record($identity, $envelope->getMessage()->type(), $verdict);
            $connection->commit();
        } catch (UniqueConstraintViolationException $exception) {
            $connection->rollBack();
            $verdict = $this->store->recall($identity) ?? throw $exception;
        } catch (\Throwable $exception) {
            $connection->rollBack();
            throw $exception;
        }

        return $envelope->with($verdict);
    }

    private function carryOut(Envelope $envelope, StackInterface $stack): Verdict
    {
        /** @var Command $command */
        $command = $envelope->getMessage();
        $identity = $envelope->last(Identity::class);
        try {
            $data = $stack->next()->handle($envelope, $stack)->last(HandledStamp::class)->getResult();

            return new Verdict('done', null, null, [Event::new($identity, "balance.{$command->type()}", $data)]);
        } catch (HandlerFailedException $exception) {
            $refused = $exception->getNestedExceptions()[0];
            if (!$refused instanceof Refused) {
                throw $refused;
            }
            $data = ['type' => $command->type(), 'code' => $refused->refusal, 'reason' => $refused->getMessage()];

            return new Verdict('rejected', $refused->refusal, $refused->getMessage(),
                [Event::new($identity, 'command.rejected', $data)]);
        }
    }
}
