# SPDX-License-Identifier: Apache-2.0
"""A node server of the tests, what is known of its workers, and the ICD built for them."""

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import typing
from pathlib import Path

from tests.support.host import control_groups, wait_until

ROOT = Path(__file__).parents[2]
_READY = 60  # seconds
#: Servers of tests that run at once have different users.
SESSIONS = 64
_USERS = itertools.count(2_200_000_000 + os.getpid() % 1_000_000 * 2000, SESSIONS)


class Node:
    """A node server that runs.

    :param socket: where clients connect
    :param first: the first of its workers' users
    """

    def __init__(self, process: "subprocess.Popen[bytes]", socket: str, first: int) -> None:
        self.process = process
        self.socket = socket
        self.first = first

    def is_ready(self) -> bool:
        """Whether it has opened all that it has without sessions: last of all, its loop's."""
        return Path(self.socket).exists() and any(
            "eventpoll" in target for target in self._descriptors()
        )

    def groups(self) -> int:
        """How many of its workers have control groups."""
        found = control_groups("fpga-nova/opencl-*")
        users = {int(one.name.rpartition("-")[2]) for one in found}
        return len([user for user in users if self.first <= user < self.first + SESSIONS])

    def sessions(self) -> list[int]:
        """The processes that it has descriptors of, one for each session; -1 after their end.

        What the kernel says of children is exact only as long as none of them ends.
        """
        folder, found = Path(f"/proc/{self.process.pid}/fdinfo"), []
        with contextlib.suppress(FileNotFoundError):
            for file in folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    found += re.findall(r"^Pid:\s*(-?\d+)$", file.read_text(), re.MULTILINE)
        return [int(one) for one in found]

    def workers(self) -> list[int]:
        """The processes that serve clients, each the first of its namespace."""
        return [child for one in self.sessions() for child in _children(one)]

    def wait(self, count: int) -> list[int]:
        """Wait until it has so many sessions, and none of earlier ones; their workers."""
        found: list[int] = []

        def settled() -> bool:
            found[:] = self.workers()
            return len(self.sessions()) == len(found) == count

        wait_until(settled)
        return found

    def helper(self, name: str) -> int:
        """The process of a program that it started beside itself."""
        (found,) = [one for one in _children(self.process.pid) if name in command(one)]
        return found

    def descriptors(self) -> int:
        """How many descriptors the server has."""
        return len(self._descriptors())

    def _descriptors(self) -> list[str]:
        """What they are of."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for file in Path(f"/proc/{self.process.pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    found.append(str(file.readlink()))
        return found

    def memory(self) -> int:
        """KiB of the server's own."""
        return int(status(self.process.pid)["RssAnon"].split()[0])


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def runs(pid: int) -> bool:
    """Whether there is more of a process than its remains; memory is back when there is not."""
    return Path(f"/proc/{pid}/exe").exists()


def command(pid: int) -> str:
    """The words of a process; none if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    return [one for child in _children(pid) for one in (child, *descendants(child))]


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> typing.Iterator[Node]:
    """A node server that listens in a folder; it ends with all its workers."""
    path = str(folder / "s")
    words = [sys.executable, "-m", "fpga_opencl.node", "--socket", path]
    first = next(_USERS)
    words += ["--first-uid", str(first), *options]
    process = subprocess.Popen(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        node = Node(process, path, first)
        wait_until(lambda: node.is_ready() or process.poll() is not None, _READY)
        assert process.poll() is None
        yield node
    finally:
        process.send_signal(signal.SIGTERM)
        # Killed by its test, or ended as it should.
        assert process.wait(_READY) in (0, -signal.SIGKILL)


def fill(work: typing.Any) -> None:
    """Have a worker keep what is written, as the write waits for what never comes, until it ends.

    :param work: a session with a context and a queue
    """
    connection, queues = work.session._connection, work.session.queues
    buffer = work.session.buffers.create(work.context, 32 << 20)
    connection.call("create_user_event", 1 << 40, work.context)
    for _ in range(64):
        queues.enqueue_write(work.queue, buffer, 0, bytes(32 << 20), waits=[1 << 40])


def build(folder: Path, sanitize: str = "", target: str = "all") -> Path:
    """The ICD, built in a folder.

    :param target: `container` for all that a container has of its host
    """
    words = ["make", "--no-print-directory", "-C", str(ROOT / "fpga_opencl/icd"), f"OUT={folder}"]
    subprocess.run(
        [*words, f"PYTHON={sys.executable}", f"SANITIZE={sanitize}", target],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder / "libfpga-opencl.so"


def environment(library: Path, socket: str) -> dict[str, str]:
    """For a program that shall find this ICD alone, and through it a node."""
    (library.parent / "fpga-nova.icd").write_text(f"{library}\n")
    return {
        **os.environ,
        "OCL_ICD_VENDORS": str(library.parent),
        "FPGA_OPENCL_SOCKET": socket,
        # The loader keeps what it loads.
        "ASAN_OPTIONS": "detect_leaks=0",
    }
