"""A Celery worker that takes billing commands from their own queue.

Celery's message protocol is not the billing contract: the worker's consumer translates each
message when it arrives, and from there on everything is Celery's: its prefetch, its pool of
processes, its late acks.
"""
import json
import os
import uuid

import billiard.pool
import celery
from celery.worker.consumer import Consumer
from celery.worker.consumer.tasks import Tasks
from kombu import Queue
from kombu.common import QoS

from .contract import TYPES

QUEUE = "billing"
KEPT = ("message_id", "correlation_id", "reply_to", "type", "app_id", "priority", "content_type",
        "content_encoding")

# A process of the pool that stops waits until its last result is taken, for up to 30 seconds: longer
# than whoever stops the worker may wait. A result that is not taken means a message that comes again.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 10  # Times 0.1 seconds.


class QuorumTasks(Tasks):
    """Celery 5.2 asks for a prefetch of the whole channel, which quorum queues do not have."""

    def start(self, c):
        c.update_strategies()
        c.connection.default_channel.basic_qos(0, c.initial_prefetch_count, False)
        c.task_consumer = c.app.amqp.TaskConsumer(c.connection, on_decode_error=c.on_decode_error)

        def set_prefetch_count(prefetch_count):
            return c.task_consumer.qos(prefetch_count=prefetch_count, apply_global=False)

        c.qos = QoS(set_prefetch_count, c.initial_prefetch_count)


class BillingConsumer(Consumer):
    class Blueprint(Consumer.Blueprint):
        # Remote control is off, and would bring the original of the other step with it.
        default_steps = [QuorumTasks] + [
            step for step in Consumer.Blueprint.default_steps
            if not step.endswith((":Tasks", ":Control"))
        ]

    def create_task_handler(self):
        handle = super().create_task_handler()

        def on_message(message):
            translate(message)
            handle(message)

        return on_message


def task_for(body):
    """The name of the task; of one that only says why, for what is no command."""
    try:
        type_ = json.loads(body)["type"]
    except (ValueError, LookupError, TypeError):
        type_ = None
    return f"billing.{type_ if type_ in TYPES else 'unreadable'}"


def translate(message):
    """Makes of a command the call of a task, in Celery's protocol 2."""
    body = message.body
    if not isinstance(body, str):
        # What is not UTF-8 is refused by the task; until then no byte of it gets lost.
        body = bytes(body).decode(errors="surrogateescape")
    properties = {name: message.properties[name] for name in KEPT if name in message.properties}
    properties["headers"] = message.headers
    if "timestamp" in message.properties:
        properties["timestamp"] = message.properties["timestamp"].timestamp()
    message.headers = {
        "lang": "py", "task": task_for(body), "id": str(uuid.uuid4()),
        "root_id": None, "parent_id": None, "group": None, "retries": 0, "eta": None,
        "expires": None, "timelimit": [None, None], "argsrepr": "", "kwargsrepr": "",
    }
    message.body = json.dumps([[body, properties], {}, {}], default=str)
    message.content_type = "application/json"
    message.content_encoding = "utf-8"


app = celery.Celery("billing", broker=os.environ["IQ_BROKER_URL"], include=["billing.tasks"])
app.conf.update(
    task_queues=[Queue(QUEUE, no_declare=True)],
    task_default_queue=QUEUE,
    task_create_missing_queues=False,
    task_ignore_result=True,
    # Acks come after the work; a task that fails is rejected, and its message goes to the dead.
    task_acks_late=True,
    task_acks_on_failure_or_timeout=False,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=4,
    worker_consumer="billing.app:BillingConsumer",
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
)
