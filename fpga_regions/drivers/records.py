# SPDX-License-Identifier: Apache-2.0
"""What a driver put into a region, on disk: no FPGA can tell the digest of its bitstream."""

import dataclasses
import json
import os
import pathlib
import typing

from fpga_regions import folders
from fpga_regions.model import Loaded, Region

_BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
_SUFFIX = ".record"


@dataclasses.dataclass(frozen=True)
class Record:
    """What was put into a region.

    :param loaded: function and digest of the package
    :param sign: by what the hardware shows that it still is there, as the driver means it (the
        uuid of an accelerator, an identifier that a program gave); may be empty
    :param card: the region's card
    :param fresh: whether it was written since the host started: nobody knows what a part holds
        after a restart, which may have cut its power
    """

    loaded: Loaded
    sign: str
    card: str
    fresh: bool


class Records:
    """The records of one driver.

    :param folder: where they are kept; made when the first is written
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def read(self, region: Region) -> Record | None:
        """The record of a region; None if there is none that can be understood.

        :raises OSError: it cannot be read
        """
        return _read(self._path(region))

    def of_card(self, card: str) -> list[Record]:
        """The records of all regions of a card.

        :raises OSError: they cannot be read
        """
        found = [_read(path) for path in sorted(self._folder.glob(f"*{_SUFFIX}"))]
        return [record for record in found if record is not None and record.card == card]

    def write(self, region: Region, loaded: Loaded, sign: str) -> None:
        """Keep a record, in place of the one that is there; on disk when this returns.

        :raises OSError: it cannot be written
        """
        folders.make_private(self._folder)
        told = {
            "function": loaded.function,
            "digest": loaded.digest,
            "sign": sign,
            "card": region.slot.device,
            "boot": _boot(),
        }
        new = self._path(region).with_suffix(".new")
        with new.open("w") as file:
            json.dump(told, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path(region))
        _sync(self._folder)

    def remove(self, region: Region) -> None:
        """Remove the record of a region, if there is one.

        :raises OSError: it cannot be removed
        """
        self._path(region).unlink(missing_ok=True)

    def _path(self, region: Region) -> pathlib.Path:
        return self._folder / f"{region.id}{_SUFFIX}"


def _read(path: pathlib.Path) -> Record | None:
    try:
        told: dict[str, typing.Any] = json.loads(path.read_text())
        return Record(
            Loaded(str(told["function"]), str(told["digest"])),
            str(told["sign"]),
            str(told["card"]),
            told["boot"] == _boot(),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        # Damaged: then nobody knows what is in the region.
        return None


def _sync(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _boot() -> str:
    return _BOOT_ID.read_text().strip()
