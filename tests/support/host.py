# SPDX-License-Identifier: Apache-2.0
"""A host with emulated regions: the real fpga-cli with a configuration and folders of its own."""

import contextlib
import fnmatch
import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import time
import typing

from fpga_nova.confined import groups
from fpga_nova.deadline import Deadline
from fpga_regions.command import client
from fpga_regions.served.server import Servers
from fpga_regions.system import processes

PROGRAM = pathlib.Path(__file__).parents[2] / "bin" / "fpga-cli.py"


class Host:
    """Where fpga-cli runs as it does on a compute host, in one folder.

    :param glance: the group `glance` of its configuration
    """

    def __init__(self, folder: pathlib.Path, glance: str = "", **options: typing.Any) -> None:
        self.folder = folder
        self.state, self.runtime = folder / "state", folder / "run"
        self.config = folder / "fpga-cli.conf"
        self._glance = glance
        #: What runs fpga-cli.
        self.python = sys.executable
        self.configure(**options)

    def configure(self, **options: typing.Any) -> None:
        """Write the configuration; `group__name` for an option of a group."""
        defaults = {
            "drivers": "emulator",
            "state_dir": self.state,
            "runtime_dir": self.runtime,
            "program_retry_pause": 0,
        }
        groups: dict[str, list[str]] = {"DEFAULT": []}
        for name, value in (defaults | options).items():
            group, _, option = name.rpartition("__")
            groups.setdefault(group or "DEFAULT", []).append(f"{option} = {value}")
        lines = [
            line
            for name, lines_of_group in groups.items()
            for line in (f"[{name}]", *lines_of_group)
        ]
        self.config.write_text("\n".join([*lines, self._glance]))

    def command(self, *arguments: str) -> list[str]:
        """The command line of a call."""
        return [self.python, str(PROGRAM), "--config-file", str(self.config), *arguments]

    def run(
        self, *arguments: str, cwd: pathlib.Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Call fpga-cli and wait for it."""
        command = self.command(*arguments)
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, cwd=cwd
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Call fpga-cli and do not wait."""
        pipe = subprocess.PIPE
        # What a shell runs in the background ignores SIGINT, what nohup runs ignores SIGHUP, and
        # that is inherited.
        command = ["env", "--default-signal=HUP,INT,TERM", *self.command(*arguments)]
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)

    @contextlib.contextmanager
    def served(self) -> "typing.Iterator[subprocess.Popen[str]]":
        """Have a server do the calls within the block."""
        server = self.start("serve")
        try:
            wait_until(self.has_server, 60)
            yield server
        finally:
            server.terminate()
            server.wait(60)

    def has_server(self) -> bool:
        """Whether a server is ready."""
        try:
            with client._connected(str(self.runtime)):
                return True
        except OSError:
            return False

    def burn(self, *arguments: str) -> str:
        """Burn, and fail unless it succeeds; the region's id."""
        result = self.run("burn", *arguments)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.strip()

    def status(self) -> dict[str, typing.Any]:
        """All that the status tells."""
        result = self.run("status", "--format", "json")
        assert (result.returncode, result.stderr) == (0, "")
        report: dict[str, typing.Any] = json.loads(result.stdout)
        return report

    def states(self) -> list[str]:
        """The regions' states."""
        return [region["state"] for region in self.status()["regions"]]

    def wrapper(self) -> pathlib.Path:
        """A program that nova-compute may run as `[fpga] exec`."""
        path = self.folder / "fpga-cli.py"
        path.write_text(f'#!/bin/sh\nexec {shlex.join(self.command())} "$@"\n')
        path.chmod(0o755)
        return path

    def servers(self) -> list[processes.Process]:
        """The processes on record that stand behind regions, dead ones too."""
        records = sorted((self.state / "emulator").glob("*"))
        return [processes.Process(**json.loads(record.read_text())) for record in records]

    def compilers(self) -> list[processes.Process]:
        """The process that compiles in the background, if there is one."""
        record = self.state / "emulator-models" / "compiler"
        if not record.exists() or not (text := record.read_text()):
            return []
        return [processes.Process(**json.loads(text))]

    def close(self) -> None:
        """End every process behind a region, and what compiles for the next one."""
        for server in [*self.servers(), *self.compilers()]:
            processes.end(server, Deadline(5))
        names = Servers(self.runtime, self.state, "emulator")
        for record in (self.state / "emulator").glob("*"):
            groups.end(names.group(record.name), Deadline(5))


def control_groups(pattern: str) -> list[pathlib.Path]:
    """The control groups whose paths end so, in each hierarchy.

    Groups may go meanwhile: others' end at any time, and a glob fails then.
    """
    return [
        pathlib.Path(folder, name)
        for folder, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if fnmatch.fnmatch(f"{folder}/{name}", f"*/{pattern}")
    ]


def wait_until(condition: typing.Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another process brings about, and fail if it does not."""
    deadline = Deadline(seconds)
    while not condition():
        assert not deadline.passed, "it did not come about in time"
        time.sleep(0.01)


@contextlib.contextmanager
def connected(path: str) -> typing.Iterator[socket.socket]:
    """A connection to a region's socket."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.ExitStack() as cleanup:
        # A simulated core has its own pace, and stands back behind all else that runs.
        connection.settimeout(200)
        # An address has room for 107 bytes only.
        folder = os.open(pathlib.Path(path).parent, os.O_PATH)
        cleanup.callback(os.close, folder)
        connection.connect(f"/proc/self/fd/{folder}/{pathlib.Path(path).name}")
        yield connection


def talk(path: str, data: bytes) -> bytes:
    """What a client of a region's socket gets for its bytes."""
    with connected(path) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
