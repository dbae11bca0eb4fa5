"""What a verdict sends out, each message confirmed before the next."""
import json
import os
from datetime import datetime, timezone

from kombu import Connection, Producer

from .contract import now

EVENT_EXCHANGE = "billing.events"
DEAD_QUEUE = "billing.dead"
COMMAND_QUEUE = "billing"
PERSISTENT = 2


class Publisher:
    def __init__(self, url):
        # py-amqp then waits for the confirm of each message, and raises where there is none.
        connection = Connection(url, transport_options={"confirm_publish": True})
        self.producer = Producer(connection.channel(), auto_declare=False)

    def publish(self, command, verdict):
        for event in verdict.events:
            headers = {
                "cloudEvents_id": event["id"],
                "cloudEvents_source": "celery",
                "cloudEvents_type": event["event"],
                "cloudEvents_time": event["occurredAt"],
                "cloudEvents_specversion": "1.0",
            }
            if command.traceparent:
                headers["traceparent"] = command.traceparent
            self.producer.publish(
                json.dumps(event), exchange=EVENT_EXCHANGE, routing_key=event["event"],
                content_type="application/json", content_encoding="utf-8", headers=headers,
                delivery_mode=PERSISTENT, message_id=event["id"],
                correlation_id=command.correlation_id or command.id)

    def bury(self, type_, body, properties, verdict):
        """A copy of the message for the dead, with the reason."""
        kept = dict(properties)
        headers = dict(kept.pop("headers", None) or {})
        headers.update({
            "x-iq-code": verdict.code, "x-iq-reason": verdict.reason,
            "x-iq-outcome": verdict.outcome, "x-iq-attempts": 1, "x-iq-type": type_,
            "x-iq-plugin": "celery/1", "x-iq-at": now(), "x-iq-queue": COMMAND_QUEUE,
        })
        if "timestamp" in kept:
            kept["timestamp"] = datetime.fromtimestamp(kept["timestamp"], timezone.utc)
        kept.setdefault("content_type", "application/json")
        kept.setdefault("content_encoding", "utf-8")
        raw = body.encode(errors="surrogateescape")
        self.producer.publish(raw, exchange="", routing_key=DEAD_QUEUE, mandatory=True,
                              headers=headers, delivery_mode=PERSISTENT, **kept)


def open_publisher():
    return Publisher(os.environ["IQ_BROKER_URL"])
