<?php

declare(strict_types=1);

namespace Iq\Peer;

use Iq\Peer\Message\Command;
use Iq\Peer\Message\Income;
use Iq\Peer\Message\Lock;
use Iq\Peer\Message\Transfer;
use Iq\Peer\Message\Withdraw;

/** Carries commands out; each returns the data of its event, or throws why there is none. */
final class BillingHandler
{
    public function __construct(private readonly Store $store)
    {
    }

    public function income(Income $income): array
    {
        $row = $this->store->row('income', $income->user, $income->sum);
        if (null === $row) {
            throw $this->whyNoCredit($income);
        }

        return ['userId' => $income->user, 'sum' => $income->sum, 'balance' => $row[0]];
    }

    public function withdraw(Withdraw $withdraw): array
    {
        $row = $this->store->row('withdraw', $withdraw->user, $withdraw->sum);
        if (null === $row) {
            throw $this->whyNoDebit($withdraw);
        }

        return ['userId' => $withdraw->user, 'sum' => $withdraw->sum, 'balance' => $row[0]];
    }

    public function transfer(Transfer $transfer): array
    {
        $payer = $transfer->payer;
        if ($payer === $transfer->user) {
            throw new Refused('same_user', "user $payer is both payer and receiver");
        }
        $row = $this->store->row('transfer', $transfer->user, $transfer->sum, $payer);
        if (null === $row) {
            throw $this->whyNoTransfer($transfer);
        }
        if (\in_array(null, $row, true)) {
            throw new \RuntimeException('a balance changed while it was transferred');
        }

        return ['userId' => $transfer->user, 'userFromId' => $payer, 'sum' => $transfer->sum,
            'balance' => $row[0], 'balanceFrom' => $row[1]];
    }

    public function lock(Lock $lock): array
    {
        $row = $this->store->row("lock_{$lock->event}", $lock->user, $lock->sum, $lock->hold);
        if (null === $row) {
            throw $this->whyNoHold($lock);
        }

        return ['userId' => $lock->user, 'event' => $lock->event, 'uuid' => $lock->hold,
            'sum' => $lock->sum, 'balance' => $row[0]];
    }

    private function balance(int $user): ?int
    {
        $row = $this->store->row('balance', $user);

        return null === $row ? null : (int) $row[0];
    }

    private function whyNoCredit(Command $command): \RuntimeException
    {
        $balance = $this->balance($command->user);
        if (null === $balance) {
            return new Refused('unknown_user', "user {$command->user} has no balance");
        }
        if ($balance > \PHP_INT_MAX - $command->sum) {
            return new Refused('balance_overflow', "the balance of user {$command->user} would exceed 64 bits");
        }

        return new \RuntimeException('a balance changed under its lock');
    }

    private function whyNoDebit(Command $command): \RuntimeException
    {
        $balance = $this->balance($command->user);
        if (null === $balance) {
            return new Refused('unknown_user', "user {$command->user} has no balance");
        }
        if ($balance < $command->sum) {
            return new Refused('insufficient_funds', "the balance of user {$command->user} does not cover the sum");
        }

        return new \RuntimeException('a balance changed under its lock');
    }

    private function whyNoTransfer(Transfer $transfer): \RuntimeException
    {
        $payer = $this->balance($transfer->payer);
        if (null === $payer) {
            return new Refused('unknown_user', "the payer, user {$transfer->payer}, has no balance");
        }
        if (null === $this->balance($transfer->user)) {
            return new Refused('unknown_user', "the receiver, user {$transfer->user}, has no balance");
        }
        if ($payer < $transfer->sum) {
            return new Refused('insufficient_funds', "the balance of user {$transfer->payer} does not cover the sum");
        }

        return $this->whyNoCredit($transfer);
    }

    private function whyNoHold(Lock $lock): \RuntimeException
    {
        $hold = $this->store->row('hold', $lock->hold);
        if ('lock' === $lock->event) {
            return null === $hold
                ? $this->whyNoDebit($lock)
                : new Refused('hold_exists', 'a hold of this uuid stands already');
        }
        if (null === $hold || (int) $hold[0] !== $lock->user) {
            return new Refused('unknown_hold', "user {$lock->user} has no hold of this uuid");
        }
        if ((int) $hold[1] !== $lock->sum) {
            return new Refused('sum_mismatch', 'the hold is of another sum');
        }

        return $this->whyNoCredit($lock);
    }
}
