# SPDX-License-Identifier: Apache-2.0
"""Tells a person at a terminal how far a long transfer is; tells nobody else anything."""

import sys
import time
import types
import typing

_MIB = 1024 * 1024
_QUIET = 0.5  # seconds before the first line: what is over by then needs none
_PAUSE = 0.2  # seconds between two lines
_CLEAR = "\r\x1b[K"


class Progress:
    """A line on standard error, where that is a terminal; gone when the block ends.

    :param what: what is being done ("fetching ...")
    :param size: bytes in all; 0 if that is not known
    """

    def __init__(self, what: str, size: int, stream: typing.TextIO | None = None) -> None:
        self._what, self._size = what, size
        self._stream = sys.stderr if stream is None else stream
        self._watched = self._stream.isatty()
        self._next = time.monotonic() + _QUIET
        self._shown = False

    def __enter__(self) -> typing.Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if self._shown:
            self._write(_CLEAR)

    def at(self, done: int) -> None:
        """Tell that so many bytes are through."""
        now = time.monotonic()
        if not self._watched or now < self._next:
            return
        self._next = now + _PAUSE
        self._shown = True
        of = f" of {self._size / _MIB:.1f} MiB ({done * 100 // self._size} %)" if self._size else ""
        self._write(f"{_CLEAR}{self._what}: {done / _MIB:.1f}{of or ' MiB'}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
