# SPDX-License-Identifier: Apache-2.0
"""What may be granted to an instance, and how the record of it is written.

The record is in Nova's database, so that it is there where the host is dead. Its keys are none that
a user or a refused request changes; those of the image's properties (``image_*``) are. Nothing is
burnt for an instance but a `Grant`. The card is not in it: Placement's allocations have that.
"""

import dataclasses
import enum
import typing

from fpga_nova import request
from fpga_nova.contract import REGION_NUMBERS

_KEYS = {number: f"fpga_grant_{number}" for number in REGION_NUMBERS}

#: The keys of the record in an instance's system metadata. What was accepted of the image stays on
#: record while a flavor names bitstreams itself.
KEYS = frozenset({*_KEYS.values(), request.ACCEPTED_METADATA})

#: On record where an instance had regions and has a right to none any more.
NOTHING = {_KEYS[1]: "none"}


class Rule(enum.StrEnum):
    """Who named a bitstream."""

    FLAVOR = "flavor"
    IMAGE = "image"
    PROGRAM = "program"
    FUNCTION = "function"


@dataclasses.dataclass(frozen=True)
class Grant:
    """One bitstream that may be burnt for an instance.

    :ivar image_id: Glance id of the bitstream image
    :ivar function: for which the host has chosen it; None where somebody named it
    """

    image_id: str
    rule: Rule
    function: str | None = None


#: By number of the region.
Grants = dict[int, Grant]


def of_flavor(extra_specs: typing.Mapping[str, str]) -> Grants:
    """What a flavor grants; flavors are the operator's."""
    return {
        number: Grant(image_id, Rule.FLAVOR)
        for number, image_id in request.bitstreams(extra_specs).items()
        if request.UUID.fullmatch(image_id)
    }


def of_image(image_id: str) -> Grants:
    """What an image grants whose bitstream was accepted."""
    return {1: Grant(image_id, Rule.IMAGE)}


def of_function(image_id: str, function: str) -> Grant:
    """What a host has chosen of the bitstreams of a function."""
    return Grant(image_id, Rule.FUNCTION, function)


def of_program(image_id: str) -> Grant:
    """What a program of the running server grants; it stands until a rebuild or a resize."""
    return Grant(image_id, Rule.PROGRAM)


def programmed(grants: Grants | None) -> Grants:
    """Those of some grants that programs of the running server gave."""
    return {n: grant for n, grant in (grants or {}).items() if grant.rule == Rule.PROGRAM}


def read(metadata: typing.Mapping[str, str]) -> Grants | None:
    """The grants in an instance's system metadata; None where there is no record.

    An instance that was built before there was one has none, nor has one without regions.
    """
    if KEYS.isdisjoint(metadata):
        return None
    grants = {}
    for number, key in _KEYS.items():
        rule, image_id, function = [*metadata.get(key, "").split(" "), "", ""][:3]
        if rule in set(Rule) and request.UUID.fullmatch(image_id):
            grants[number] = Grant(image_id, Rule(rule), function or None)
    return grants


def write(grants: Grants, bitstream: str | None) -> dict[str, str]:
    """The record as system metadata.

    :param bitstream: the one that was accepted of the image
    """
    entries = {
        _KEYS[number]: " ".join(filter(None, (grant.rule, grant.image_id, grant.function)))
        for number, grant in grants.items()
    }
    return entries | ({request.ACCEPTED_METADATA: bitstream} if bitstream else {})
