<?php

declare(strict_types=1);

namespace Iq\Peer;

use Doctrine\DBAL\Connection;
use Doctrine\DBAL\Statement;

/** The statements that all peers share, prepared once, on one connection. */
final class Store
{
    private const STATEMENTS = ['recall', 'record', 'balance', 'hold', 'income', 'withdraw',
        'transfer', 'lock_lock', 'lock_withdraw', 'lock_unlock'];

    /** @var array<string, Statement> */
    private array $statements = [];
    private string $process;
    private int $count = 0;

    public function __construct(public readonly Connection $connection, string $shared)
    {
        foreach (self::STATEMENTS as $name) {
            $sql = preg_replace('/\$(\d+)/', ':p$1', file_get_contents("$shared/$name.sql"));
            $this->statements[$name] = $connection->prepare(preg_replace('/^--.*\n/m', '', $sql));
        }
        $this->process = Identity::randomUuid();
    }

    /** The first row, or null. */
    public function row(string $statement, string|int ...$parameters): ?array
    {
        foreach ($parameters as $i => $parameter) {
            $this->statements[$statement]->bindValue('p'.($i + 1), $parameter);
        }

        return $this->statements[$statement]->executeQuery()->fetchNumeric() ?: null;
    }

    /** What was decided about the command before, or null. */
    public function recall(Identity $identity): ?Verdict
    {
        $row = $this->row('recall', $identity->uuid);
        if (null === $row) {
            return null;
        }
        [$outcome, $code, $reason, $events, $hash] = $row;
        if ($hash !== $identity->hash) {
            return new Verdict('invalid', 'id_conflict', 'another command had this id', []);
        }
        $events = json_decode($events, true, 512, \JSON_THROW_ON_ERROR);

        return new Verdict($outcome, $code, $reason, array_map(Event::fromArray(...), $events));
    }

    public function record(Identity $identity, string $type, Verdict $verdict): void
    {
        $values = [$identity->uuid, $identity->id, $type, $verdict->outcome, $verdict->code,
            $verdict->reason, $verdict->eventsAsJson(), $identity->hash, 'symfony/1',
            $identity->correlationId ?: null, $identity->traceparent ?: null, $this->process,
            ++$this->count];
        foreach ($values as $i => $value) {
            $this->statements['record']->bindValue('p'.($i + 1), $value);
        }
        $this->statements['record']->executeStatement();
    }
}
