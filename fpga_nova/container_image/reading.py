# SPDX-License-Identifier: Apache-2.0
"""Has an archive of a stranger read by a process of its own, for services."""

import contextlib
import dataclasses
import json
import tempfile
import typing
from pathlib import Path

from fpga_nova.confined import confinement, processes, readers
from fpga_nova.container_image.choice import host_architecture
from fpga_nova.container_image.configuration import Changes
from fpga_nova.container_image.limits import Limits, Refused
from fpga_nova.container_image.reader import ROOM
from fpga_nova.deadline import Deadline

__all__ = ["Changes", "Layer", "Limits", "NotRead", "Refused", "Request", "rewrite"]

_READER = "fpga_nova.container_image.reader"
_MEMORY = 1 << 30  # it needs some 50 MB, and 128 MB for the window of a compressed stream


class NotRead(Exception):
    """The archive was not read to its end, which says nothing of the image."""


class Layer(typing.NamedTuple):
    """A layer that an image is to have above its own.

    :param path: a tar archive
    :param digest: SHA-256 of it
    """

    path: Path
    digest: str


@dataclasses.dataclass(frozen=True)
class Request:
    """What is wanted of an archive.

    :param name: what the image is called in the new archive; None for no name
    :param seconds: what the reading may take
    :param architecture: by Go's name
    :param changes: what the image is to have other than in the archive
    :param above: the uppermost layer
    """

    limits: Limits
    name: str | None
    seconds: float
    architecture: str = dataclasses.field(default_factory=host_architecture)
    changes: Changes | None = None
    above: Layer | None = None


def rewrite(source: typing.BinaryIO, target: typing.BinaryIO, request: Request) -> list[str]:
    """Read an archive and write one with the one image that this architecture runs.

    :param source: a regular file
    :param target: an empty regular file, in a folder that has room for what is unpacked, too
    :returns: the digests of its layers, unpacked and as changed, lowest first
    :raises Refused: the archive has no such image, or is damaged, or over a limit
    :raises NotRead: it took too long, or this host lacks room or memory
    """
    try:
        with contextlib.ExitStack() as files:
            folder = Path(target.name).parent
            scratch = files.enter_context(tempfile.TemporaryFile(dir=folder))
            changes = None
            if request.changes:
                changes = files.enter_context(tempfile.TemporaryFile(dir=folder))
                changes.write(json.dumps(dataclasses.asdict(request.changes)).encode())
                changes.seek(0)
            above = files.enter_context(request.above.path.open("rb")) if request.above else None
            finished = _run(source, target, scratch, changes, above, request)
    except processes.TooLong as e:
        raise NotRead(f"it took more than {request.seconds:g} seconds") from e
    except (processes.Failed, OSError) as e:
        raise NotRead(str(e)) from e
    try:
        report = json.loads(finished.output)
    except ValueError:
        report = {"failed": finished.complaint}
    if finished.status != 0 or "failed" in report:
        raise NotRead(report.get("failed", finished.complaint))
    if "refused" in report:
        raise Refused(report["refused"])
    return typing.cast(list[str], report["layers"])


def _run(
    source: typing.BinaryIO,
    target: typing.BinaryIO,
    scratch: typing.IO[bytes],
    changes: typing.IO[bytes] | None,
    above: typing.IO[bytes] | None,
    request: Request,
) -> processes.Finished:
    limits = request.limits
    question = {
        **dataclasses.asdict(limits),
        "architecture": request.architecture,
        "name": request.name,
        "target": target.fileno(),
        "scratch": scratch.fileno(),
        "changes": changes.fileno() if changes else None,
        "above": above.fileno() if above else None,
        "above_digest": request.above.digest if request.above else None,
    }
    box = confinement.Confinement(_MEMORY, limits.unpacked + 2 * ROOM, files=16)
    keep = [file.fileno() for file in (target, scratch, changes, above) if file]
    deadline = Deadline(request.seconds)
    return readers.read(_READER, [json.dumps(question)], box, deadline, source, keep)
