"""A task for each type of command, all of them alike: what differs is the statement."""
from celery.exceptions import Reject
from celery.signals import worker_process_init
from psycopg2 import OperationalError
from redis.exceptions import RedisError

from .app import app
from .contract import TYPES, Refused, Verdict, parse
from .locks import Busy, open_locks
from .publisher import open_publisher
from .store import open_store


class Resources:
    """Connections of one process of the pool."""

    def open(self):
        self.store = open_store()
        self.locks = open_locks()
        self.publisher = open_publisher()


resources = Resources()


@worker_process_init.connect
def open_resources(**_):
    resources.open()


def carry_out(type_, body, properties):
    """Returns when the command is decided and everything about it is published."""
    command = None
    try:
        command = parse(body, properties)
        with resources.locks.held(command.keys()):
            verdict = resources.store.run(command)
    except Refused as refusal:
        verdict = Verdict("invalid", refusal.code, refusal.reason)
    except Busy as busy:
        raise Reject(busy, requeue=True) from busy
    except (OperationalError, RedisError) as error:
        # A server that is away is not the command's failure.
        resources.open()
        raise Reject(error, requeue=True) from error
    resources.publisher.publish(command, verdict)
    if verdict.outcome != "done":
        resources.publisher.bury(type_, body, properties, verdict)


def add_task(type_):
    @app.task(name=f"billing.{type_}")
    def task(body, properties):
        carry_out(type_, body, properties)


for each in (*TYPES, "unreadable"):
    add_task(each)
