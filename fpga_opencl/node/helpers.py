# SPDX-License-Identifier: Apache-2.0
"""Programs that the node server starts beside itself, each with a socket to it."""

import socket
import subprocess
import sys
import time
import typing

#: Seconds from one start to the next.
_PAUSE = 1.0


class Helper:
    """A program that is started again when it ends.

    :param module: of Python
    :param options: after `--server DESCRIPTOR`
    :param descriptors: that it has, too
    :param user: whose process it is; None for the server's
    """

    def __init__(
        self,
        module: str,
        options: typing.Sequence[str],
        descriptors: typing.Sequence[int] = (),
        user: str | None = None,
    ) -> None:
        self._words = [sys.executable, "-m", module, *options]
        self._descriptors = list(descriptors)
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def start(self) -> socket.socket | None:
        """Start it, if it does not run and was not started a moment ago.

        :returns: the way to it; None if it was not started
        :raises OSError: it cannot be started
        :raises KeyError: there is no such user
        """
        running = self._process is not None and self._process.poll() is None
        if running or time.monotonic() - self._started < _PAUSE:
            return None
        self._started = time.monotonic()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            words = [*self._words, "--server", str(there.fileno())]
            groups = None if self._user is None else ()
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own modules
                    words,
                    pass_fds=[*self._descriptors, there.fileno()],
                    user=self._user,
                    extra_groups=groups,
                )
            except BaseException:
                here.close()
                raise
        return here

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_PAUSE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
