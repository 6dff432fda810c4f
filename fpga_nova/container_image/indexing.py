# SPDX-License-Identifier: Apache-2.0
"""Has a process of its own say where the files of a stranger's plain tar archive are."""

import json
import os
import typing

from fpga_nova.confined import confinement, processes, readers
from fpga_nova.container_image.limits import Refused
from fpga_nova.container_image.reading import NotRead
from fpga_nova.deadline import Deadline

_READER = "fpga_nova.container_image.indexer"
_MEMORY = 512 << 20
_SECONDS = 120
#: Bytes that the report may have for a file.
_ROOM = 160


class Place(typing.NamedTuple):
    """Where a file is in an archive: its first byte and its size."""

    start: int
    size: int


def index(archive: typing.BinaryIO, most: int) -> dict[str, Place]:
    """The files of an archive by their names, which are the stranger's.

    :param archive: a regular file
    :param most: how many files it may have
    :raises Refused: it has something else, or is damaged
    :raises NotRead: it was not read to its end
    """
    box = confinement.Confinement(_MEMORY, 0, files=16)
    try:
        finished = readers.read(
            _READER, [str(most)], box, Deadline(_SECONDS), archive, most=most * _ROOM
        )
        report = json.loads(finished.output)
    except processes.Failed as e:
        raise NotRead(str(e)) from e
    except ValueError as e:
        raise NotRead(finished.complaint) from e
    if "refused" in report:
        raise Refused(report["refused"])
    end = os.fstat(archive.fileno()).st_size
    places = {str(name): Place(*map(int, place)) for name, place in report["files"].items()}
    if any(one.start < 0 or one.size < 0 or one.start + one.size > end for one in places.values()):
        raise Refused("it is cut short")
    return places
