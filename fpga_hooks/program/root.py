# SPDX-License-Identifier: Apache-2.0
"""Runs a program as root: by sudo and rootwrap, or by rootwrap's daemon where nova.conf says so.

A daemon runs one command at a time. So there are two of them. A command waits its turn while others
come to their ends. Where none does for a moment, it gets a process of its own: those that take long
let no other wait.
"""

import os
import queue
import subprocess
import sys
import threading
import time
import typing

from nova import utils
from oslo_concurrency import processutils
from oslo_config import cfg
from oslo_log import log as logging

if typing.TYPE_CHECKING:
    from oslo_rootwrap import client as rootwrap_client

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Beside eventlet, oslo.concurrency before 7.0 (Nova 26, 29) runs programs by a copy of the module
#: subprocess that eventlet keeps under this name; the copy's exceptions are its own.
_COPY = sys.modules.get("__original_module_subprocess", subprocess)
_TIMEOUTS = (subprocess.TimeoutExpired, _COPY.TimeoutExpired)

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Answer(typing.NamedTuple):
    """How a program ended and what it said."""

    code: int
    out: str
    err: str


class NotRunError(Exception):
    """The program could not be started as root."""


class TimedOutError(Exception):
    """The program did not end in time."""


class Daemons:
    """Rootwrap's daemons, started when they are needed.

    :param most: how many there are at once
    :param patience: seconds to wait from the end of one command to that of the next
    """

    def __init__(self, most: int = 2, patience: float = 1.0) -> None:
        # The one that was used last is used next; None stands for one to be started.
        self._idle: queue.LifoQueue[rootwrap_client.Client | None] = queue.LifoQueue()
        self._patience = patience
        self._last_end = 0.0
        for _ in range(most):
            self._idle.put(None)

    def execute(self, command: typing.Sequence[str], timeout: float) -> Answer | None:
        """Run a command; None if all of them are busy.

        :raises NotRunError: with the reason
        :raises TimedOutError: it did not end in time, and goes on
        """
        try:
            daemon = [self._next()]
        except queue.Empty:
            return None
        returned = None
        try:
            answer, returned = _ask(daemon, command, timeout)
        finally:
            # One that is at a command still, or did not work, is left alone.
            self._last_end = time.monotonic()
            self._idle.put(returned)
        return answer

    def _next(self) -> "rootwrap_client.Client | None":
        """The next one that is idle.

        :raises queue.Empty: all of them are at commands that last
        """
        while True:
            try:
                return self._idle.get(timeout=self._patience)
            except queue.Empty:
                if time.monotonic() - self._last_end > self._patience:
                    raise


#: Those of this service.
daemons = Daemons()


def run(command: typing.Sequence[str], timeout: float) -> Answer:
    """Run a command as root.

    :param timeout: seconds that it may take
    :raises NotRunError: with the reason
    :raises TimedOutError: it is given up; one that a daemon runs may go on
    """
    if _daemon_wanted():
        try:
            answer = daemons.execute(command, timeout)
        except NotRunError as e:
            # A process of its own works, or says better why it does not.
            LOG.warning("%s", e)
        else:
            if answer is not None:
                return answer
    return _by_process(command, timeout)


def _by_process(command: typing.Sequence[str], timeout: float) -> Answer:
    try:
        out, err = processutils.execute(
            *command,
            run_as_root=True,
            root_helper=utils.get_root_helper(),
            env_variables=_environment(),
            timeout=timeout,
        )
    except processutils.ProcessExecutionError as e:
        return Answer(int(e.exit_code), e.stdout or "", e.stderr or "")
    except _TIMEOUTS as e:
        raise TimedOutError from e
    except OSError as e:
        raise NotRunError(f"{e}; install sudo") from e
    return Answer(0, str(out), str(err))


def _environment() -> dict[str, str]:
    """What finds a program and sets its language; nothing else of nova-compute is passed on."""
    return {"PATH": os.environ.get("PATH", _DEFAULT_PATH), "LANG": "C.UTF-8"}


def _daemon_wanted() -> bool:
    if os.geteuid() == 0 or CONF.workarounds.disable_rootwrap:
        return False
    return bool(CONF.use_rootwrap_daemon)


def _ask(
    daemon: "list[rootwrap_client.Client | None]", command: typing.Sequence[str], timeout: float
) -> "tuple[Answer, rootwrap_client.Client]":
    """What a daemon answers, and the daemon, for the next command.

    :param daemon: the only reference to it is taken out of this list, because a client that goes
        away waits for its daemon to end: nobody waits for the thread in which it does so
    """
    answers: queue.SimpleQueue[tuple[Answer, rootwrap_client.Client] | Exception]
    answers = queue.SimpleQueue()

    def ask() -> None:
        try:
            client = daemon.pop() or _start()
            code, out, err = client.execute(list(command))
            answers.put((Answer(int(code), out, err), client))
        except Exception as e:  # oslo.rootwrap raises nothing more precise
            answers.put(e.with_traceback(None))

    try:
        threading.Thread(target=ask, name="rootwrap-daemon", daemon=True).start()
    except (RuntimeError, MemoryError) as e:
        raise NotRunError(f"there is no thread to ask rootwrap's daemon in: {e}") from e
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimedOutError from None
    if isinstance(answer, Exception):
        # The daemon answers what it refuses with a whole traceback (oslo.rootwrap 7.9).
        reason = (str(answer).strip().splitlines() or [repr(answer)])[-1]
        raise NotRunError(
            f"'{' '.join(_daemon_command())}' does not work: {reason}; permit it in sudoers, and "
            "see that its filters permit the command, or set use_rootwrap_daemon = False"
        ) from answer
    return answer


def _start() -> "rootwrap_client.Client":
    from oslo_rootwrap import client as rootwrap_client

    LOG.debug("fpga-cli is run by %s", " ".join(_daemon_command()))
    return rootwrap_client.Client(_daemon_command())


def _daemon_command() -> list[str]:
    return ["sudo", "nova-rootwrap-daemon", CONF.rootwrap_config]
