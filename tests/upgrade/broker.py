# SPDX-License-Identifier: Apache-2.0
"""Debian's RabbitMQ, on free ports of the loopback and with a folder of its own."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import typing

_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_READY = 120  # seconds


class RabbitMQ:
    """A broker; a context manager that stops it and removes its folder.

    :ivar url: as Nova's transport_url takes it
    :raises RuntimeError: it cannot be run here, with what to do
    """

    def __enter__(self) -> "RabbitMQ":
        if not pathlib.Path(_SERVER).exists():
            raise RuntimeError("no RabbitMQ - run 'apt-get install rabbitmq-server'")
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        port, dist_port, epmd_port = _free_ports(3)
        self.url = f"rabbit://guest:guest@127.0.0.1:{port}/"
        plugins = self._folder / "plugins"
        plugins.write_text("[].\n")
        environment = os.environ | {
            "HOME": str(self._folder),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            # The script then becomes the broker, which ends cleanly at SIGTERM.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
        with (self._folder / "log").open("wb") as log:
            self._processes = [
                subprocess.Popen(command, env=environment, stdout=log, stderr=log)
                for command in (["epmd"], [_SERVER])
            ]
        self._wait(port)
        return self

    def __exit__(self, *exception: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait()
        shutil.rmtree(self._folder)

    def _wait(self, port: int) -> None:
        end = time.monotonic() + _READY
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError as e:
                ended = any(process.poll() is not None for process in self._processes)
                if ended or time.monotonic() > end:
                    log = (self._folder / "log").read_text(errors="replace")
                    self.__exit__()
                    raise RuntimeError(f"RabbitMQ does not start: {log[-2000:]}") from e
                time.sleep(0.2)


def _free_ports(count: int) -> typing.Iterator[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _each in range(count)]
    for each in sockets:
        yield each.getsockname()[1]
        each.close()
