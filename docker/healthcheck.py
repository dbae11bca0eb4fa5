#!/usr/bin/python3
"""Healthy when each of the IQ_PROCESSES hosts of this container says that it is ready."""
import os
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

FIRST_PORT = 9400
# Not through the proxy that the environment may name.
ASK = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def fault(port):
    """Why the host at this port is not ready; empty when it is."""
    try:
        with ASK(f"http://127.0.0.1:{port}/readyz", timeout=3):
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode().strip()
    except OSError as error:
        return f"does not answer: {error}"


ports = range(FIRST_PORT, FIRST_PORT + int(os.environ["IQ_PROCESSES"]))
with ThreadPoolExecutor(len(ports)) as asking:
    faults = [f"{port}: {why}" for port, why in zip(ports, asking.map(fault, ports)) if why]
print("\n".join(faults) or "ready")
sys.exit(1 if faults else 0)
