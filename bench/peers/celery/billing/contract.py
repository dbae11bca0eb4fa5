"""The billing contract: commands in, events out. Sums are in thousandths."""
import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone

TYPES = ("income", "withdraw", "transfer", "lock")
MOST = 2**63 - 1
SUM = re.compile(r"([0-9]+)(?:\.([0-9]{1,3}))?")


class Refused(Exception):
    """A message that is no command, or a command that is not carried out."""

    def __init__(self, code, reason):
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass
class Command:
    id: str  # As the producer gave it; a random UUID where it gave none.
    uuid: str  # The journal's key.
    hash: str  # SHA-256 of the body, in hex.
    correlation_id: str
    traceparent: str
    type: str
    user: int
    sum: int
    payer: int = 0  # Of a transfer.
    event: str = ""  # Of a lock: lock, withdraw or unlock.
    hold: str = ""  # Of a lock: its uuid.

    def keys(self):
        """What the command locks, sorted."""
        keys = {f"iq:lock:user:{self.user}"}
        if self.type == "transfer":
            keys.add(f"iq:lock:user:{self.payer}")
        if self.hold:
            keys.add(f"iq:lock:hold:{self.hold}")
        return sorted(keys)


@dataclass
class Verdict:
    outcome: str  # done, rejected or invalid
    code: str = ""
    reason: str = ""
    events: list = field(default_factory=list)


def parse(body, properties):
    """Reads a message; raises Refused for what is no command."""
    raw = body.encode(errors="surrogateescape")
    try:
        # Numbers with a fraction keep their digits.
        message = json.loads(raw, parse_float=str)
    except ValueError as error:
        raise Refused("malformed", str(error)) from error
    if not isinstance(message, dict):
        raise Refused("schema", "the body is not a JSON object")
    details = message.get("details") or {}
    if not isinstance(details, dict):
        raise Refused("schema", "details: not an object")
    if message.get("type") not in TYPES:
        raise Refused("unknown_type", "nothing serves the type")
    id_ = properties.get("message_id") or message.get("id") or str(uuid.uuid4())
    command = Command(
        id=id_,
        uuid=uuid_of_id(id_),
        hash=hashlib.sha256(raw).hexdigest(),
        correlation_id=properties.get("correlation_id") or "",
        traceparent=(properties.get("headers") or {}).get("traceparent", ""),
        type=message["type"],
        user=user(message.get("userId"), "userId"),
        sum=parse_sum(message.get("sum")),
    )
    if command.type == "transfer":
        command.payer = user(details.get("userFromId"), "details.userFromId")
    if command.type == "lock":
        command.event = details.get("event")
        command.hold = details.get("uuid")
        if command.event not in ("lock", "withdraw", "unlock"):
            raise Refused("schema", "details.event: not lock, withdraw or unlock")
        if not isinstance(command.hold, str) or not 0 < len(command.hold) <= 255:
            raise Refused("schema", "details.uuid: missing, or too long")
    return command


def user(value, name):
    if type(value) is not int or not 0 < value <= MOST:
        raise Refused("schema", f"{name}: missing, or not an integer above zero")
    return value


def parse_sum(value):
    """Whole units with up to three decimals, as a number or as a text."""
    match = SUM.fullmatch(str(value))
    if match is None:
        raise Refused("schema", "sum: missing, or not a number with up to three decimals")
    whole, fraction = match.groups()
    thousandths = int(whole + (fraction or "").ljust(3, "0"))
    if not 0 < thousandths <= MOST:
        raise Refused("schema", "sum: not above zero in 64 bits")
    return thousandths


def uuid_of_id(id_):
    if len(id_) == 36 and id_.count("-") == 4:
        try:
            return str(uuid.UUID(id_))
        except ValueError:
            pass
    return str(uuid.uuid5(uuid.NAMESPACE_OID, id_))


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def done(command, balance, payer_balance=None):
    data = {"userId": command.user, "sum": command.sum, "balance": balance}
    if command.type == "transfer":
        data.update(userFromId=command.payer, balanceFrom=payer_balance)
    if command.type == "lock":
        data.update(event=command.event, uuid=command.hold)
    return Verdict("done", events=[event(command, f"balance.{command.type}", data)])


def rejected(command, refusal):
    data = {"type": command.type, "code": refusal.code, "reason": refusal.reason}
    return Verdict("rejected", refusal.code, refusal.reason,
                   [event(command, "command.rejected", data)])


def event(command, name, data):
    """Its id is the same each time it is published."""
    return {
        "event": name,
        "id": str(uuid.uuid5(uuid.UUID(command.uuid), "0")),
        "commandId": command.id,
        "occurredAt": now(),
        "data": data,
    }
