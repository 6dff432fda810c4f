# SPDX-License-Identifier: Apache-2.0
"""A node server of the tests, what is known of its workers, and the ICD built for them."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import typing
from pathlib import Path

from tests.support.host import wait_until

ROOT = Path(__file__).parents[2]
_READY = 60  # seconds
#: Servers of tests that run at once have different users.
SESSIONS = 64
_USERS = itertools.count(2_200_000_000 + os.getpid() % 1_000_000 * 1000, SESSIONS)


class Node:
    """A node server that runs.

    :param socket: where clients connect
    :param first: the first of its workers' users
    """

    def __init__(self, process: "subprocess.Popen[bytes]", socket: str, first: int) -> None:
        self.process = process
        self.socket = socket
        self.first = first

    def groups(self) -> int:
        """How many control groups its workers have."""
        users = [
            int(name.rpartition("-")[2])
            # Passes over groups that go meanwhile, which a glob does not.
            for folder, names, _ in os.walk("/sys/fs/cgroup")
            for name in names
            if Path(folder).name == "fpga-nova" and name.startswith("opencl-")
        ]
        return len([user for user in users if self.first <= user < self.first + SESSIONS])

    def workers(self) -> list[int]:
        """The processes that serve clients, each the first of its namespace."""
        own = [one for one in _children(self.process.pid) if not self._is_helper(one)]
        return [child for one in own for child in _children(one)]

    def helper(self, name: str) -> int:
        """The process of a program that it started beside itself."""
        (found,) = [one for one in _children(self.process.pid) if name in command(one)]
        return found

    def _is_helper(self, pid: int) -> bool:
        return any(name in command(pid) for name in ("doorman", "registrar"))

    def descriptors(self) -> int:
        """How many descriptors the server has."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def memory(self) -> int:
        """KiB of the server's own."""
        return int(status(self.process.pid)["RssAnon"].split()[0])


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


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
        wait_until(lambda: Path(path).exists() or process.poll() is not None, _READY)
        assert process.poll() is None
        yield Node(process, path, first)
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
