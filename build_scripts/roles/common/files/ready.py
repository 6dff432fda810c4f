#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Waits until a daemon is ready; a unit of systemd runs this after the daemon's start.

    ready.py RUN_DIR/NAME.json

The file describes the daemon, as daemons.py does; RUN_DIR/NAME.offset has the size that its log had
before the start. Exit status 1: it is not ready within its `timeout`, or its process has ended,
which the environment names in MAINPID.
"""

import errno
import json
import os
import re
import socket
import sys
import time
import typing
import urllib.error
import urllib.request
from pathlib import Path

POLL = 0.1


def is_ready(description: dict[str, typing.Any]) -> bool:
    """Whether a daemon does what its description calls ready; `offset` is where its log starts."""
    ready = description.get("ready") or {}
    if "log" in ready:
        with Path(description["log"]).open("rb") as log:
            log.seek(description["offset"])
            return bool(re.search(ready["log"].encode(), log.read(), re.MULTILINE))
    if "http" in ready:
        return _answers(ready["http"])
    try:
        if "tcp" in ready:
            socket.create_connection(tuple(ready["tcp"]), timeout=2).close()
        if "socket" in ready:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(ready["socket"])
    except OSError as e:
        # A socket of packets is served all the same.
        return e.errno == errno.EPROTOTYPE
    return True


def _answers(url: str) -> bool:
    """Whether a web server answers, be it with a request for credentials."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=5).close()
    except urllib.error.HTTPError as e:
        return e.code < 500
    except OSError:
        return False
    return True


def main() -> int:
    """Command line."""
    file = Path(sys.argv[1])
    description = json.loads(file.read_text())
    description["offset"] = int(file.with_suffix(".offset").read_text())
    timeout = description.get("timeout", 60)
    end = time.monotonic() + timeout
    while not is_ready(description):
        if time.monotonic() > end:
            print(f"Error: {description['name']} is not ready after {timeout} s", file=sys.stderr)
            return 1
        # systemd itself waits for the end of this program, and then starts the daemon again.
        if not Path("/proc", os.environ.get("MAINPID", "self")).exists():
            print(f"Error: {description['name']} has ended", file=sys.stderr)
            return 1
        time.sleep(POLL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
