# SPDX-License-Identifier: Apache-2.0
"""A Docker Engine of the tests' own: no network, no systemd, nothing left behind.

It is the installed one, or with FPGA_NOVA_TEST_ENGINE=26 that of Debian 13 with the containerd
image store, which `make engine-26` unpacks.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import typing

import docker

from tests.support import docker_engine
from tests.support.host import control_groups

_INSTALLED = f"{os.environ['PATH']}:/usr/sbin:/sbin"
_READY = 60  # seconds

#: Which engine: empty for the installed one.
ENGINE = os.environ.get("FPGA_NOVA_TEST_ENGINE", "")
_SETTINGS: dict[str, dict[str, object]] = {
    "": {},
    "26": {"features": {"containerd-snapshotter": True}},
}


class Dockerd:
    """A dockerd in a temporary folder.

    :param arguments: further ones of its command line
    :param programs: folders in which it finds programs first
    :param before: the words before its command line
    :raises RuntimeError: it cannot be run here, with what to do
    """

    def __init__(
        self,
        *arguments: str,
        programs: typing.Sequence[str] = (),
        before: typing.Sequence[str] = (),
    ) -> None:
        self._arguments, self._before = arguments, before
        own = docker_engine.programs() if ENGINE else []
        self._path = ":".join([*programs, *own, _INSTALLED])
        program = shutil.which("dockerd", path=self._path)
        if program is None:
            raise RuntimeError("dockerd is missing - run 'apt-get install docker.io'")
        if os.geteuid() != 0:
            raise RuntimeError("these tests start a Docker Engine - run them as root")
        self._program = program
        # The engine makes sockets below its folder, and their paths must be short.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nd-", dir="/tmp"))
        self._group = f"fpga-nova-test-{self.folder.name}"
        self.url = f"unix://{self.folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = self.folder / "daemon.json"
        settings.write_text(json.dumps(_SETTINGS[ENGINE]))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._before,
                    self._program,
                    f"--config-file={settings}",
                    *([] if ENGINE else ["--storage-driver=overlay2"]),
                    "--bridge=none",
                    "--iptables=false",
                    f"--data-root={self.folder}/data",
                    f"--exec-root={self.folder}/exec",
                    f"--pidfile={self.folder}/pid",
                    f"--cgroup-parent=/{self._group}",
                    f"--host={self.url}",
                    *self._arguments,
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": self._path},
            )
        end = time.monotonic() + _READY
        while True:
            try:
                self.client().close()
                return
            except docker.errors.DockerException as e:
                if self._process.poll() is not None or time.monotonic() > end:
                    output = (self.folder / "log").read_text()[-3000:]
                    raise RuntimeError(f"dockerd does not come up: {output}") from e
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it; its containers end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """Kill it, so that it tidies up nothing; its containers end at its next start.

        Its containerd dies with it (Pdeathsig). If nobody reaps that, it counts as alive.
        """
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None
            (self.folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def signal(self, number: int) -> None:
        """Send it a signal: SIGSTOP for an engine that is slow."""
        if self._process is not None:
            self._process.send_signal(number)

    def client(self) -> docker.DockerClient:
        """A client of the tests, beside the driver's own."""
        client = docker.DockerClient(base_url=self.url, timeout=30)
        client.ping()
        return client

    def remove_containers(self) -> None:
        """Remove all containers."""
        client = self.client()
        for container in client.containers.list(all=True):
            container.remove(force=True, v=True)
        client.close()

    def remove(self) -> None:
        """Stop it and remove all that it made."""
        if self._process is not None:
            self.remove_containers()
        self.stop()
        for mount in reversed(self._mounts()):
            subprocess.run(["umount", "--lazy", mount], check=False)
        for controller in control_groups(self._group):
            controller.rmdir()
        shutil.rmtree(self.folder)

    def _mounts(self) -> list[str]:
        lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
        points = [line.split()[1] for line in lines]
        return [point for point in points if point.startswith(f"{self.folder}/")]


def started(
    *arguments: str,
    programs: typing.Sequence[str] = (),
    before: typing.Sequence[str] = (),
) -> typing.Iterator[Dockerd]:
    """One that runs, for as long as the generator does."""
    engine = Dockerd(*arguments, programs=programs, before=before)
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()
