# SPDX-License-Identifier: Apache-2.0
"""The process that does a command for the server: becomes what its client is, and ends as one."""

import os
import signal
import sys
import traceback
import typing

from fpga_nova.confined import processes
from fpga_regions.command import client


def finish(
    parent: int, leave: typing.Callable[[], None], work: typing.Callable[[], int]
) -> typing.NoReturn:
    """Do the work of this new process and end it, as an interpreter ends a program.

    :param parent: the server; with it this process ends, as by SIGTERM
    :param leave: closes what is the server's
    """
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in client.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        processes.die_with(parent, signal.SIGTERM)
        leave()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, client.SIGNALS)
        code = _code(work)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code & 0xFF)


def become(
    environment: typing.Mapping[str, str],
    ignored: typing.Collection[int],
    descriptors: typing.Sequence[int],
) -> None:
    """Have the environment, streams and working directory of a client.

    :param ignored: signals that it ignores
    :param descriptors: its standard input, output and error, and its working directory
    """
    for number in client.SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    for target, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, target)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.fchdir(descriptors[3])
    for descriptor in descriptors:
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)


def _code(work: typing.Callable[[], int]) -> int:
    """The exit status of what is done, once all that it wrote is out."""
    try:
        code: int | str | None = work()
    except SystemExit as e:
        code = e.code
    except Exception:
        # main has set it to what makes one line of a defect.
        sys.excepthook(*typing.cast(typing.Any, sys.exc_info()))
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 0 if code is None else 1
