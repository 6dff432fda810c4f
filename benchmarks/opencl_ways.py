# SPDX-License-Identifier: Apache-2.0
"""The ways by which a program that knows OpenCL alone reaches a device."""

import abc
import contextlib
import os
import subprocess
import sys
import typing
from pathlib import Path

from tests.support import opencl, opencl_afar

_AGENT = [sys.executable, "-m", "fpga_opencl.agent.command", "--session"]
_MEMORY = 4  # GiB of a worker, which is the default of a node server
_TTL = 86400  # seconds of a session, at most
#: Those of a service. The tests' heartbeats would take a part of the processors.
_TIMES = {"heartbeat": 1, "node_ttl": 60}

Completed = subprocess.CompletedProcess[str]


class Way(abc.ABC):
    """One of them.

    :cvar name: as tables have it
    """

    name: str

    @abc.abstractmethod
    def run(self, words: list[str], folder: Path, seconds: float) -> Completed:
        """Run a program in a folder; its output has its errors, too.

        :raises subprocess.TimeoutExpired: it did not end
        """


class Local(Way):
    """The host's own implementation, in the process of the program."""

    name = "pocl"

    def run(self, words: list[str], folder: Path, seconds: float) -> Completed:
        """Run a program."""
        return _run(words, folder, seconds, os.environ)


class Worker(Way):
    """A worker of this host, by the library in the place of the implementation."""

    name = "worker"

    def __init__(self, library: Path, socket: str) -> None:
        self._environment = opencl.environment(library, socket)

    def run(self, words: list[str], folder: Path, seconds: float) -> Completed:
        """Run a program."""
        return _run(words, folder, seconds, self._environment)


class Afar(Way):
    """A node that has registered, by TLS; each program has a session of its own."""

    name = "afar"

    def __init__(self, library: Path, cloud: opencl_afar.Cloud, folder: Path) -> None:
        self._environment = opencl.environment(library, "/nothing")
        # The agent runs in the folder of its program.
        self._environment["PYTHONPATH"] = str(opencl.ROOT)
        self._cloud = cloud
        self._file = folder / "session.json"

    def run(self, words: list[str], folder: Path, seconds: float) -> Completed:
        """Run a program by the agent."""
        place = self._cloud.place(memory=_MEMORY << 10, ttl=_TTL)
        opencl_afar.keep(place, self._file)
        try:
            agent = [*_AGENT, str(self._file), "--", *words]
            return _run(agent, folder, seconds, self._environment)
        finally:
            self._cloud.close(place)


def _run(
    words: list[str], folder: Path, seconds: float, environment: typing.Mapping[str, str]
) -> Completed:
    with subprocess.Popen(  # noqa: S603
        words,
        cwd=folder,
        env={**environment, "MPLBACKEND": "agg"},  # examples show pictures
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        finally:
            # An agent's program does not end with the agent.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
    return subprocess.CompletedProcess(words, process.returncode, output)


@contextlib.contextmanager
def _worker(folder: Path) -> typing.Iterator[Way]:
    with opencl.serving(folder) as node:
        yield Worker(opencl.build(folder / "icd"), node.socket)


@contextlib.contextmanager
def _afar(folder: Path) -> typing.Iterator[Way]:
    with (
        opencl_afar.cloud(folder) as cloud,
        opencl_afar.node(cloud, folder, "node-1", "--memory", str(_MEMORY)),
    ):
        for name, seconds in _TIMES.items():
            cloud.api.service.conf.set_override(name, seconds, "opencl")
        yield Afar(opencl.build(folder / "icd"), cloud, folder)


WAYS: dict[str, typing.Callable[[Path], contextlib.AbstractContextManager[Way]]] = {
    "worker": _worker,
    "afar": _afar,
}
