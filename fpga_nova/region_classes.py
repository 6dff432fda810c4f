# SPDX-License-Identifier: Apache-2.0
"""Placement's classes of which one unit is one region.

Their names begin alike, so that each service knows them: which class the regions of a host have
is an option of that host alone.
"""

import typing

#: What the names of all classes of regions begin with, and of no other class.
PREFIX = "CUSTOM_FPGA_"

#: The class of regions for which the operator has chosen no other one.
REGION = f"{PREFIX}REGION"


def is_one(name: str) -> bool:
    """Whether a class is of regions."""
    return name.startswith(PREFIX)


def among(names: typing.Iterable[str]) -> list[str]:
    """The classes of regions among some classes, in alphabetical order."""
    return sorted(filter(is_one, names))


def amount(resources: typing.Mapping[str, int]) -> int:
    """How many regions some resources are, whatever their classes."""
    return sum(resources[name] for name in among(resources))
