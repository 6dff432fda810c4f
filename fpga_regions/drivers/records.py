# SPDX-License-Identifier: Apache-2.0
"""What a driver put into a region, on disk: no FPGA can tell the digest of its bitstream."""

import dataclasses
import json
import pathlib
import typing

from fpga_nova import durable
from fpga_regions.model import Loaded, Region
from fpga_regions.system import folders

_BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
_SUFFIX = ".record"


@dataclasses.dataclass(frozen=True)
class Record:
    """What was done to a region last, and to its end.

    :param loaded: function and digest of the package that was put into it; None if it was erased
    :param sign: by what the hardware shows that this is still so, as the driver means it (the
        uuid of an accelerator, an identifier that a program gave); may be empty
    :param card: the region's card
    :param fresh: whether it was written since the host started: a restart may have cut the power
        of a part
    """

    loaded: Loaded | None
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
        """The record of a region; None if there is none.

        :raises OSError: it cannot be read
        :raises ValueError: it cannot be understood
        """
        return _read(self._path(region))

    def beside(self, region: Region) -> list[Record]:
        """The records of the other regions of a region's card.

        :raises OSError: one cannot be read
        :raises ValueError: one cannot be understood, of whichever card it is
        """
        paths = set(self._folder.glob(f"*{_SUFFIX}")) - {self._path(region)}
        found = [_read(path) for path in sorted(paths)]
        card = region.slot.device
        return [record for record in found if record is not None and record.card == card]

    def write(self, region: Region, loaded: Loaded | None, sign: str) -> None:
        """Keep a record, in place of the one that is there; on disk when this returns.

        :raises OSError: it cannot be written
        """
        folders.make_private(self._folder)
        _write(self._path(region), Record(loaded, sign, region.slot.device, fresh=True))

    def empty(self, card: str) -> None:
        """Note that all regions of a card are empty whose records say that something is in them.

        :raises OSError, ValueError: as `beside`
        """
        for path in self._folder.glob(f"*{_SUFFIX}"):
            record = _read(path)
            if record is not None and record.card == card and record.loaded is not None:
                _write(path, Record(None, "", card, fresh=True))

    def remove(self, region: Region) -> None:
        """Remove the record of a region, if there is one.

        :raises OSError: it cannot be removed
        """
        self._path(region).unlink(missing_ok=True)

    def _path(self, region: Region) -> pathlib.Path:
        return self._folder / f"{region.id}{_SUFFIX}"


def _read(path: pathlib.Path) -> Record | None:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        fields: dict[str, typing.Any] = json.loads(text)
        function, digest = fields["function"], fields["digest"]
        loaded = None if function is None else Loaded(str(function), str(digest))
        sign, card, boot = str(fields["sign"]), str(fields["card"]), str(fields["boot"])
    except (ValueError, KeyError, TypeError) as e:
        raise ValueError(
            f"the record {path.name} is damaged: quarantine region {path.stem}, and release it"
        ) from e
    return Record(loaded, sign, card, fresh=boot == _boot())


def _write(path: pathlib.Path, record: Record) -> None:
    loaded = record.loaded
    fields = {
        "function": loaded and loaded.function,
        "digest": loaded and loaded.digest,
        "sign": record.sign,
        "card": record.card,
        "boot": _boot(),
    }
    durable.write(path, json.dumps(fields).encode())


def _boot() -> str:
    return _BOOT_ID.read_text().strip()
