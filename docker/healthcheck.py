#!/usr/bin/python3
"""Healthy when each of the IQ_PROCESSES hosts of this container says that it is ready."""
import os
import sys
import urllib.error
import urllib.request

FIRST_PORT = 9400


def fault(port):
    """Why the host at this port is not ready; empty when it is."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode().strip()
    except OSError as error:
        return f"does not answer: {error}"


ports = range(FIRST_PORT, FIRST_PORT + int(os.environ["IQ_PROCESSES"]))
faults = [f"{port}: {why}" for port in ports if (why := fault(port))]
print("\n".join(faults) or "ready")
sys.exit(1 if faults else 0)
