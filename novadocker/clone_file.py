# SPDX-License-Identifier: Apache-2.0
"""Writes the file by which a program learns whether its memory is that of another server.

Each container that can become a live image has the file, because a clone must have the mounts of
its source. It is written before the container is made, so before anything that is restored goes on.
No byte of it is the user's.
"""

import datetime
import json
import typing
import uuid

from docker.types import Mount

from novadocker.instance_records import Records

if typing.TYPE_CHECKING:
    from nova import objects

#: Where a container has it.
TARGET = "/run/fpga-nova/clone.json"

_FILES = Records("clone.json")
#: Bytes of the file, whatever is in it: CRIU restores no program that has a file open of another
#: size than before.
_SIZE = 512
#: For every user of the container. CRIU compares it as well.
_MODE = 0o444


class Origin(typing.NamedTuple):
    """Whose memory a clone has.

    :param image: the live image, by its id in Glance
    :param source: the server that was dumped
    """

    image: str | None
    source: str | None


#: Of a container that is no clone.
NONE = Origin(None, None)


def write(instance: "objects.Instance", origin: Origin) -> None:
    """Write the file of a server, in place of the one that is there."""
    content = {
        "server": instance.uuid,
        "generation": str(uuid.uuid4()),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **origin._asdict(),
    }
    text = json.dumps(content, indent=1).ljust(_SIZE - 1) + "\n"
    _FILES.write_text(instance.uuid, text, _MODE)


def ensure(instance: "objects.Instance", attributes: typing.Mapping[str, typing.Any]) -> None:
    """Write the file before a start, if the container has it and the end of a move removed it.

    :param attributes: what the engine tells about the container
    """
    mounts = attributes["HostConfig"].get("Mounts") or ()
    if any(one["Target"] == TARGET for one in mounts) and not _FILES.path(instance.uuid).is_file():
        write(instance, NONE)


def mount(uuid: str) -> Mount:
    """The mount of the file of an instance."""
    return Mount(TARGET, str(_FILES.path(uuid)), type="bind", read_only=True)


def remove(uuid: str) -> None:
    """Remove the file of an instance; none is as good."""
    _FILES.remove(uuid)


def uuids() -> list[str]:
    """The instances that have the file here."""
    return _FILES.uuids()
