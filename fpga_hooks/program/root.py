# SPDX-License-Identifier: Apache-2.0
"""Runs a program as root: by sudo and rootwrap, or by rootwrap's daemon where nova.conf says so.

The daemon runs one command at a time and cannot be made to give up, so only what is quick is given
to it; whatever may take long keeps a process of its own.
"""

import functools
import os
import queue
import subprocess
import sys
import threading
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


def run(command: typing.Sequence[str], timeout: float, quick: bool = False) -> Answer:
    """Run a command as root.

    :param timeout: seconds that it may take
    :param quick: it ends soon and changes nothing, so that the daemon may run it
    :raises NotRunError: with the reason
    :raises TimedOutError: it is given up; one that the daemon runs may go on
    """
    if quick and _daemon_wanted():
        try:
            return _by_daemon(command, timeout)
        except NotRunError as e:
            # A process of its own works, or says better why it does not.
            LOG.warning("%s", e)
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


def _by_daemon(command: typing.Sequence[str], timeout: float) -> Answer:
    answers: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            code, out, err = _client().execute(list(command))
            answers.put(Answer(int(code), out, err))
        except Exception as e:  # oslo.rootwrap raises nothing more precise
            answers.put(e)
            # Here, because a client that goes away waits for its daemon to end.
            _client.cache_clear()

    try:
        threading.Thread(target=ask, name="rootwrap-daemon", daemon=True).start()
    except (RuntimeError, MemoryError) as e:
        raise NotRunError(f"there is no thread to ask rootwrap's daemon in: {e}") from e
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        # It is at this command still, and would let the next one wait: start another daemon.
        _client.cache_clear()
        raise TimedOutError from None
    if isinstance(answer, Exception):
        # The daemon answers what it refuses with a whole traceback (oslo.rootwrap 7.9).
        reason = (str(answer).strip().splitlines() or [repr(answer)])[-1]
        raise NotRunError(
            f"'{' '.join(_daemon_command())}' does not work: {reason}; permit it in sudoers, and "
            "see that its filters permit the command, or set use_rootwrap_daemon = False"
        ) from answer
    return answer


@functools.cache
def _client() -> "rootwrap_client.Client":
    from oslo_rootwrap import client as rootwrap_client

    LOG.debug("FPGA status is asked by %s", " ".join(_daemon_command()))
    return rootwrap_client.Client(_daemon_command())


def _daemon_command() -> list[str]:
    return ["sudo", "nova-rootwrap-daemon", CONF.rootwrap_config]
