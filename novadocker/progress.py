# SPDX-License-Identifier: Apache-2.0
"""Sends files to Glance, and logs the progress of long work."""

import pathlib
import time
import typing

from nova import exception
from oslo_log import log as logging

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)

#: Seconds between two lines of the log.
_INTERVAL = 10
_MIB = 1 << 20
#: Bytes that one read gives at most. glanceclient reads 1 MiB at once and sends what it got as one
#: chunk, and a Glance under uwsgi refuses chunks of 1 MiB (its chunked-input-limit).
_PIECE = 64 << 10


class Progress:
    """The progress of one step.

    :param step: what is done, such as "Uploaded"
    :param total: bytes of all; None if that is not known
    """

    def __init__(self, step: str, instance: "objects.Instance", total: int | None = None) -> None:
        self._step, self._instance = step, instance
        self._total = "" if total is None else f" of {total // _MIB}"
        self._next = time.monotonic() + _INTERVAL
        #: Bytes so far.
        self.done = 0

    def add(self, size: int) -> None:
        """Count bytes."""
        self.done += size
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL
            LOG.info(
                "%s %d%s MiB", self._step, self.done // _MIB, self._total, instance=self._instance
            )


class Reader:
    """A file whose reading is counted, to be read in pieces.

    :param file: which is read
    """

    def __init__(self, file: typing.BinaryIO, progress: Progress) -> None:
        self._file, self._progress = file, progress

    def read(self, size: int = _PIECE, /) -> bytes:
        """The next bytes, of which there may be more; none at the end."""
        data = self._file.read(min(size, _PIECE))
        self._progress.add(len(data))
        return data


def upload(
    archive: pathlib.Path,
    instance: "objects.Instance",
    store: typing.Callable[[Reader], typing.Mapping[str, typing.Any]],
    refusal: type[exception.NovaException],
) -> typing.Mapping[str, typing.Any]:
    """Give Glance a file.

    :param instance: whose image it is
    :param store: gives Glance what a reader has; the image of then
    :param refusal: the error where Glance has other data
    :returns: the image of then
    """
    size = archive.stat().st_size
    LOG.info("Uploading %d MiB", size // _MIB, instance=instance)
    with archive.open("rb") as file:
        image = store(Reader(file, Progress("Uploaded", instance, size)))
    # After an interrupted upload, Nova sends again only what it has not read yet (26 to 34).
    if image["size"] != size:
        raise refusal(f"Glance got {image['size']} of {size} bytes of it; try again")
    return image
