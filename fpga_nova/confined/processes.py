# SPDX-License-Identifier: Apache-2.0
"""Runs other programs: no shell, an environment of our own, an end to their time and their output.

A program must not outlive the command that started it, or it would go on programming a region that
the next command has locked. So the kernel kills it when its parent dies, and it inherits the lock
of its card, so that what it started in turn keeps that lock for as long as it runs.
"""

import contextlib
import ctypes
import dataclasses
import functools
import os
import selectors
import shutil
import signal
import subprocess
import typing

from fpga_nova.deadline import Deadline

#: Where a program is looked for that is not named by its full path; never the caller's PATH.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Bytes kept of each of a program's outputs, where nothing else is said.
MAX_OUTPUT = 1024 * 1024

_ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/nonexistent"}
_GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_CHUNK = 65536
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)  # here, as little as can be is done between fork and exec


class Failed(Exception):
    """A program could not be run, or did not do what it was asked for; the message tells why."""


class TooLong(Failed):
    """A program did not end in time and was killed."""


@dataclasses.dataclass(frozen=True)
class Finished:
    """What a program left behind.

    :param name: its name, without folders
    :param status: exit status; negative the number of the signal that ended it
    :param output: what it wrote to standard output
    :param errors: what it wrote to standard error
    """

    name: str
    status: int
    output: str
    errors: str

    @property
    def complaint(self) -> str:
        """One line for people: how it ended, and the last that it said."""
        ended = f"ended with {self.status}" if self.status >= 0 else f"died of {_signal(self)}"
        lines = [line.strip() for line in (self.errors or self.output).splitlines()]
        message = next((line for line in reversed(lines) if line), None)
        return f"{self.name} {ended}" + (f": {message[-200:]}" if message else "")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a program runs, and how long it has to tidy up.

    :param folder: its working directory
    :param input: its standard input; None for an empty one
    :param environment: all that it sees of one
    :param output: takes both its outputs, which are not kept then; None to keep them
    :param grace: seconds between SIGTERM and SIGKILL, where it must be ended
    :param most: bytes that are kept of each of its outputs; what is beyond is read and dropped
    """

    folder: str | os.PathLike[str] = "/"
    input: typing.BinaryIO | None = None
    environment: typing.Mapping[str, str] = dataclasses.field(default_factory=_ENVIRONMENT.copy)
    output: typing.BinaryIO | None = None
    grace: float = _GRACE
    most: int = MAX_OUTPUT


def run(
    argv: typing.Sequence[str],
    deadline: Deadline,
    keep: typing.Sequence[int] = (),
    place: Place | None = None,
    mortal: bool = True,
) -> Finished:
    """Run a program to its end.

    :param argv: the program, by full path or by a name that is looked for in PATH; its arguments
    :param keep: descriptors that it inherits
    :param mortal: have it die with this process; False where the program itself sees to that, as
        code between fork and exec is no good among threads
    :raises TooLong: it did not end before the deadline
    :raises Failed: it is not there, or cannot be started
    """
    name = os.path.basename(argv[0])  # noqa: PTH119 - a name, not a path to look at
    place = place or Place()
    try:
        child = subprocess.Popen(  # noqa: S603 - the operator's program, arguments made by us
            [find(argv[0]), *argv[1:]],
            stdin=place.input or subprocess.DEVNULL,
            stdout=place.output or subprocess.PIPE,
            stderr=subprocess.STDOUT if place.output else subprocess.PIPE,
            env=dict(place.environment),
            cwd=place.folder,
            pass_fds=keep,
            start_new_session=True,
            preexec_fn=functools.partial(die_with, os.getpid()) if mortal else None,
        )
    except OSError as e:
        raise Failed(f"{argv[0]} cannot be run: {e.strerror}") from e
    with child:
        try:
            outputs = _collect(child, deadline, place)
        except BaseException:
            _kill(child, place.grace)
            raise
    if outputs is None:
        raise TooLong(f"{name} did not end within {deadline.seconds:g} seconds")
    return Finished(name, child.returncode, *outputs)


def find(program: str) -> str:
    """The full path of a program.

    :raises Failed: it is not there
    """
    if program.startswith("/"):
        return program
    found = None if "/" in program else shutil.which(program, path=PATH)
    if found is None:
        raise Failed(f"{program} is not installed in {PATH}")
    return found


def _collect(
    child: "subprocess.Popen[bytes]", deadline: Deadline, place: Place
) -> tuple[str, str] | None:
    """Both outputs, once the program has ended; None if it had to be killed."""
    pipes = [pipe for pipe in (child.stdout, child.stderr) if pipe]
    outputs = {pipe: bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector, _process(child.pid) as process:
        selector.register(process, selectors.EVENT_READ)
        for pipe in pipes:
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ)
        ended = False
        # Not to the end of the outputs: what the program left running may hold them open.
        while not ended:
            ready = [key.fileobj for key, _ in selector.select(deadline.remaining)]
            if not ready and deadline.passed:
                _kill(child, place.grace)
                return None
            ended = process in ready
            for pipe in pipes:
                if (ended or pipe in ready) and not _take(pipe, outputs[pipe], ended, place.most):
                    selector.unregister(pipe)
        child.wait()
    out, err = (
        bytes(outputs[pipe] if pipe else b"").decode("utf-8", "replace")
        for pipe in (child.stdout, child.stderr)
    )
    return out, err


def _take(pipe: typing.IO[bytes], output: bytearray, all_of_it: bool, most: int) -> bool:
    """Read what is there now; gives whether there may be more later."""
    while True:
        try:
            data = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return True
        output += data[: most - len(output)]
        if not data:
            return all_of_it
        if not all_of_it:
            return True


def _kill(child: "subprocess.Popen[bytes]", grace: float) -> None:
    """End a program and all that it started and did not send away."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """In the child: get a signal when the parent dies, even if it is dead already."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


@contextlib.contextmanager
def _process(pid: int) -> typing.Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _signal(finished: Finished) -> str:
    try:
        return signal.Signals(-finished.status).name
    except ValueError:
        return f"signal {-finished.status}"
