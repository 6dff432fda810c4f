# SPDX-License-Identifier: Apache-2.0
"""A reader that tries what it must not, and tells what came of it."""

import json
import os
import re
import socket
import sys
import threading
import time
import typing

# A reader opens nothing any more once it reads; what these tell is of the time of reading.
_STATUS = os.open("/proc/self/status", os.O_RDONLY)
_NETWORK = os.open("/proc/net/dev", os.O_RDONLY)


def main(arguments: list[str]) -> int:
    """Look around."""
    if "sleep" in arguments:
        time.sleep(600)
    with os.fdopen(_STATUS) as status_file, os.fdopen(_NETWORK) as network_file:
        status = dict(re.findall(r"(\w+):\t(.*)", status_file.read()))
        network = re.findall(r"(\w+):", network_file.read())
    report = {
        "input": sys.stdin.read(),
        "arguments": arguments,
        "user": list(os.getresuid()),
        "groups": os.getgroups(),
        "capabilities": status["CapEff"],
        "no_new_privs": status["NoNewPrivs"],
        "fork": _outcome(os.fork),
        "thread": _outcome(threading.Thread(target=int).start),
        "file": _outcome(lambda: os.open("/dev/null", os.O_RDONLY)),
        "socket": _outcome(lambda: socket.socket(socket.AF_UNIX)),
        "network": network,
        "environment": dict(os.environ),
        "descriptors": _descriptors(),
    }
    json.dump(report, sys.stdout)
    return 0


def _outcome(action: typing.Callable[[], object]) -> str:
    try:
        action()
    except (OSError, RuntimeError):
        return "refused"
    return "done"


def _descriptors() -> list[int]:
    found = []
    for number in range(100):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found
