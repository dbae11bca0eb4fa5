"""Locks are keys in Redis that expire; the value tells whose they are."""
import os
import random
import secrets
import time
from contextlib import contextmanager
from pathlib import Path

import redis

LEASE_MS = 30_000
PATIENCE_S = 2
PAUSES_S = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)


class Busy(Exception):
    """Somebody else has one of the keys for longer than it is worth waiting."""


class Locks:
    def __init__(self, url, shared):
        client = redis.Redis.from_url(url)
        self.take = client.register_script(Path(shared, "take.lua").read_text(encoding="utf-8"))
        self.give_back = client.register_script(
            Path(shared, "give_back.lua").read_text(encoding="utf-8"))

    @contextmanager
    def held(self, keys):
        """Takes all keys together, and waits where somebody else has one."""
        token = secrets.token_hex(16)
        deadline = time.monotonic() + PATIENCE_S
        tries = 0
        while not self.take(keys, (token, LEASE_MS)):
            if time.monotonic() > deadline:
                raise Busy(keys)
            time.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)] * random.uniform(0.5, 1.5))
            tries += 1
        try:
            yield
        finally:
            self.give_back(keys, (token,))


def open_locks():
    return Locks(os.environ["IQ_LOCKS_URL"], os.environ["IQ_PEERS_SHARED"])
