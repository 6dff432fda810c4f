# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ of a test's own: an ordinary user's, on ports that nobody has, in memory."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

_READY = 300  # seconds, on a machine that is busy
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
#: The broker does not want to be root, and nobody else's files are needed.
_NOBODY = 65534
_PROGRAM = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Broker:
    """A broker with one user; a context manager that stops it and removes its folder.

    :ivar url: as oslo.messaging takes it
    :raises RuntimeError: it cannot be run here, with what to do
    """

    def __init__(self) -> None:
        if not _PROGRAM.exists():
            raise RuntimeError("RabbitMQ is missing - run 'apt-get install rabbitmq-server'")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="broker-", dir=_MEMORY))
        self._port, self._distribution, self._mapper = _free_ports(3)
        self.url = f"rabbit://tests:secret@127.0.0.1:{self._port}/"
        self._processes: list[subprocess.Popen[bytes]] = []
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.tests = 127.0.0.1:{self._port}\n"
            "default_user = tests\ndefault_pass = secret\n"
            "log.console = true\nlog.file = false\ndisk_free_limit.absolute = 1MB\n"
        )
        (self.folder / "enabled_plugins").write_text("[].")
        (self.folder / "env.conf").write_text("")
        if os.geteuid() == 0:
            shutil.chown(self.folder, _NOBODY, _NOBODY)

    def __enter__(self) -> "Broker":
        self._run("/usr/bin/epmd", "-address", "127.0.0.1", "-port", str(self._mapper))
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the broker, and wait until it takes connections."""
        self._run(str(_PROGRAM))
        end = time.monotonic() + _READY
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self._processes[-1].poll() is not None:
                    log = (self.folder / "log").read_text()
                    raise RuntimeError(f"RabbitMQ does not start: {log[-2000:]}") from None
                time.sleep(0.1)

    def kill(self) -> None:
        """End the broker without a word to those who are connected."""
        process = self._processes.pop()
        process.send_signal(signal.SIGKILL)
        process.wait()

    def _run(self, *command: str) -> None:
        user = {"user": _NOBODY, "group": _NOBODY} if os.geteuid() == 0 else {}
        with (self.folder / "log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=self._environment(),
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                    extra_groups=[] if user else None,
                    **user,
                )
            )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tests-{self._port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "config"),
            "RABBITMQ_SCHEMA_DIR": str(self.folder / "schema"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none "
            "-kernel inet_dist_use_interface {127,0,0,1}",
            # The script becomes the broker instead of watching over it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
