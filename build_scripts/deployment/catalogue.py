# SPDX-License-Identifier: Apache-2.0
"""What this checkout supports: series of Nova, distributions, drivers of FPGA cards."""

import dataclasses
import json
import re
import tomllib
import typing
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs/cloud.schema.json"
RELEASES = ROOT / "patches/releases.toml"
LOCK = ROOT / "requirements/cloud.txt"

#: The series of Nova in each distribution's own packages (https://packages.debian.org/python3-nova).
PACKAGED = {"debian-12": 26, "debian-13": 31}


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """What a description may name.

    :param schema: the JSON Schema of the file
    :param series: of Nova, those that there is a diff for
    :param locked: the series of Nova in the lock file that environments come from
    """

    schema: dict[str, typing.Any]
    series: frozenset[int]
    locked: int

    def series_of(self, release: str) -> int | None:
        """The series of Nova by its number (34) or by OpenStack's release (2026.2).

        :returns: None if it is not supported
        """
        return next((n for n in self.series if release in (str(n), release_of(n))), None)

    def installed(self, install: str, distribution: str) -> int:
        """The series of Nova that a method of installation brings.

        :param distribution: of PACKAGED, if the method is packages
        """
        return PACKAGED[distribution] if install == "packages" else self.locked


def release_of(series: int) -> str:
    """OpenStack's release of a series of Nova: two in each year, 27 was 2023.1.

    :param series: of 26, which had a name only, the answer is 2022.2
    """
    half = series - 27
    return f"{2023 + half // 2}.{half % 2 + 1}"


def read() -> Catalogue:
    """The catalogue of this checkout."""
    releases = tomllib.loads(RELEASES.read_text())["release"]
    series = frozenset(
        int(version.split(".")[0]) for one in releases for version in one["versions"]
    )
    (locked,) = re.findall(r"^nova==(\d+)", LOCK.read_text(), re.MULTILINE)
    return Catalogue(json.loads(SCHEMA.read_text()), series, int(locked))
