# SPDX-License-Identifier: Apache-2.0
"""Runs Glance for a test, and gives the service and the personas a way to it."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import typing
import urllib.request
from pathlib import Path

from keystoneauth1 import access
from keystoneauth1 import session as sessions
from keystoneauth1.identity import access as access_plugin

from fpga_api import service
from tests.support import api

ROOT = Path(__file__).parents[2]
_READY = 120  # seconds; an idle machine takes 4


@contextlib.contextmanager
def running(folder: Path) -> typing.Iterator[str]:
    """Glance; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    words = [sys.executable, "-m", "tests.support.glance_process", str(folder), str(port)]
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            words,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, log)
            yield url
        finally:
            process.kill()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _READY
    while process.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/healthcheck", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())


def service_of(
    catalogue: typing.Mapping[str, str], **groups: dict[str, typing.Any]
) -> service.Service:
    """A service whose own user has a token for these services.

    :param catalogue: endpoints by service type
    """
    new = service.Service(api.configuration(**groups))
    token = api.token_of(api.OWN, catalogue)
    plugin = access_plugin.AccessInfoPlugin(access.create(body=token, auth_token=api.OWN.name))
    new.__dict__["session"] = sessions.Session(plugin, timeout=5)
    return new
