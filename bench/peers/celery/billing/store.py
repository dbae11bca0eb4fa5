"""Runs commands in PostgreSQL, each in a transaction of its own."""
import json
import os
import uuid
from pathlib import Path

import psycopg2

from .contract import MOST, Refused, Verdict, done, rejected

# By name, the number of parameters of the statements that all peers share.
STATEMENTS = {"recall": 1, "record": 13, "balance": 1, "hold": 1, "income": 2, "withdraw": 2,
              "transfer": 3, "lock_lock": 3, "lock_withdraw": 3, "lock_unlock": 3}
# Prepared once per connection and then executed by name. What needs no answer of its own rides
# with another statement: a transaction is two round trips.
BEGIN = "BEGIN; "
EXECUTE = {name: f"EXECUTE {name} ({', '.join(['%s'] * count)})"
           for name, count in STATEMENTS.items()}


class Store:
    def __init__(self, url, shared):
        # libpq's own transactions are written out below.
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        # Plans are kept, and may be made while the journal is still empty.
        self.cursor.execute("SET synchronous_commit = on; SET enable_seqscan = off")
        for name in STATEMENTS:
            text = Path(shared, f"{name}.sql").read_text(encoding="utf-8")
            self.cursor.execute(f"PREPARE {name} AS {text}")
        self.process = str(uuid.uuid4())
        self.count = 0

    def run(self, command):
        """Decides a command, once for all: of a copy it says what was decided before.

        Nothing is looked up first: the journal's key tells a copy.
        """
        try:
            verdict = self.effect(command)
            self.record(command, verdict)
            return verdict
        except psycopg2.errors.UniqueViolation as error:
            self.cursor.execute("ROLLBACK")
            if error.diag.constraint_name != "journal_pkey":
                raise
            return self.recall(command)
        except Exception:
            if not self.connection.closed:
                self.cursor.execute("ROLLBACK")
            raise

    def recall(self, command):
        outcome, code, reason, events, hash_ = self.row("recall", command.uuid)
        if hash_ != command.hash:
            return Verdict("invalid", "id_conflict",
                           "another command with this id was carried out before")
        return Verdict(outcome, code or "", reason or "", json.loads(events))

    def effect(self, command):
        try:
            if command.type == "transfer":
                return self.transfer(command)
            if command.type == "lock":
                row = self.row(f"lock_{command.event}", command.user, command.sum, command.hold,
                               before=BEGIN)
            else:
                row = self.row(command.type, command.user, command.sum, before=BEGIN)
            if row is None:
                raise self.refusal(command)
            return done(command, row[0])
        except Refused as refusal:
            return rejected(command, refusal)

    def transfer(self, command):
        if command.payer == command.user:
            self.cursor.execute(BEGIN)
            raise Refused("same_user", f"user {command.user} is both payer and receiver")
        row = self.row("transfer", command.user, command.sum, command.payer, before=BEGIN)
        if row is None:
            raise self.transfer_refusal(command)
        if None in row:
            raise RuntimeError("a balance changed while it was transferred")
        return done(command, *row)

    def record(self, command, verdict):
        """Only the tag COMMIT is a commit."""
        self.count += 1
        self.cursor.execute(EXECUTE["record"] + "; COMMIT", (
            command.uuid, command.id, command.type, verdict.outcome, verdict.code or None,
            verdict.reason or None, json.dumps(verdict.events), command.hash, "celery/1",
            command.correlation_id or None, command.traceparent or None, self.process, self.count))
        if self.cursor.statusmessage != "COMMIT":
            raise RuntimeError(f"the commit ended as {self.cursor.statusmessage}")

    def refusal(self, command):
        """What hindered a command whose effect met no row."""
        if command.type == "lock":
            hold = self.row("hold", command.hold)
            if command.event == "lock":
                if hold is not None:
                    return Refused("hold_exists", "a hold of this uuid stands already")
            elif hold is None or hold[0] != command.user:
                return Refused("unknown_hold", f"user {command.user} has no hold of this uuid")
            elif hold[1] != command.sum:
                return Refused("sum_mismatch", "the hold is of another sum")
        balance = self.balance(command.user)
        if balance is None:
            return Refused("unknown_user", f"user {command.user} has no balance")
        if command.type == "withdraw" or command.event == "lock":
            if balance < command.sum:
                return uncovered(command.user)
        elif balance > MOST - command.sum:
            return overflow(command.user)
        return RuntimeError("a balance or a hold changed under its lock")

    def transfer_refusal(self, command):
        payer = self.balance(command.payer)
        receiver = self.balance(command.user)
        if payer is None:
            return Refused("unknown_user", f"the payer, user {command.payer}, has no balance")
        if receiver is None:
            return Refused("unknown_user", f"the receiver, user {command.user}, has no balance")
        if payer < command.sum:
            return uncovered(command.payer)
        if receiver > MOST - command.sum:
            return overflow(command.user)
        return RuntimeError("a balance changed under its lock")

    def balance(self, user):
        row = self.row("balance", user)
        return None if row is None else row[0]

    def row(self, statement, *parameters, before=""):
        self.cursor.execute(before + EXECUTE[statement], parameters)
        return self.cursor.fetchone()


def uncovered(user):
    return Refused("insufficient_funds", f"the balance of user {user} does not cover the sum")


def overflow(user):
    return Refused("balance_overflow", f"the balance of user {user} would exceed 64 bits")


def open_store():
    return Store(os.environ["IQ_STORE_URL"], os.environ["IQ_PEERS_SHARED"])
