# SPDX-License-Identifier: Apache-2.0
"""What was granted to an instance: which bitstream for which region, and by which rule.

The record is in Nova's database, so that it is there where the host is dead. Its keys are none that
a user or a refused request changes; those of the image's properties (``image_*``) are. Nothing is
burnt for an instance but a `Grant`. The card is not in it: Placement's allocations have that.
"""

import dataclasses
import enum
import typing

from fpga_nova import column, request
from fpga_nova.contract import REGION_NUMBERS

if typing.TYPE_CHECKING:
    from nova import objects

_KEYS = {number: f"fpga_grant_{number}" for number in REGION_NUMBERS}
#: What was accepted of the image; stays on record while a flavor names bitstreams itself.
_ACCEPTED = request.ACCEPTED_METADATA
_ALL = frozenset({*_KEYS.values(), _ACCEPTED})
#: On record where an instance had regions and has a right to none any more.
_NOTHING = {_KEYS[1]: "none"}


class Rule(enum.StrEnum):
    """Who named a bitstream."""

    FLAVOR = "flavor"
    IMAGE = "image"


@dataclasses.dataclass(frozen=True)
class Grant:
    """One bitstream that may be burnt for an instance.

    :ivar image_id: Glance id of the bitstream image
    """

    image_id: str
    rule: Rule


class _Held(typing.Protocol):
    """A region of the ledger."""

    @property
    def image_id(self) -> str | None: ...


def of(instance: "objects.Instance") -> dict[int, Grant]:
    """The grants on record, by number of the region."""
    record = instance.system_metadata
    found = {}
    for number, key in _KEYS.items():
        rule, _, image_id = record.get(key, "").partition(" ")
        if rule in set(Rule) and request.UUID.fullmatch(image_id):
            found[number] = Grant(image_id, Rule(rule))
    return found


def known(instance: "objects.Instance") -> bool:
    """Whether there is a record; an instance of before has none, nor has one without regions."""
    return not _ALL.isdisjoint(instance.system_metadata)


def accepted(instance: "objects.Instance") -> str | None:
    """The bitstream that was accepted of the instance's image; None where none was."""
    image_id: str | None = instance.system_metadata.get(_ACCEPTED)
    return image_id


def of_flavor(flavor: typing.Any) -> dict[int, Grant]:
    """What a flavor grants; flavors are the operator's."""
    return {
        number: Grant(image_id, Rule.FLAVOR)
        for number, image_id in request.bitstreams_of(flavor).items()
        if request.UUID.fullmatch(image_id)
    }


def of_image(image_id: str) -> dict[int, Grant]:
    """What an image grants whose bitstream was accepted."""
    return {1: Grant(image_id, Rule.IMAGE)}


def record(
    instance: "objects.Instance", granted: typing.Mapping[int, Grant], new_image: bool = False
) -> None:
    """Put grants on record in the place of those that are, before anything is burnt.

    :param new_image: forget what was accepted of the image that the instance had before
    :raises nova.exception.InstanceNotFound: the instance was deleted meanwhile
    """
    new = {_KEYS[number]: f"{grant.rule} {grant.image_id}" for number, grant in granted.items()}
    named = next((g.image_id for g in granted.values() if g.rule == Rule.IMAGE), None)
    image_id = named or (accepted(instance) if granted and not new_image else None)
    if image_id:
        new[_ACCEPTED] = image_id
    if not new and (known(instance) or column.read(instance)):
        new = _NOTHING
    old = {key: value for key, value in instance.system_metadata.items() if key in _ALL}
    if new == old:
        return
    for key in old.keys() - new.keys():
        del instance.system_metadata[key]
    instance.system_metadata.update(new)
    instance.save()


def or_derived(instance: "objects.Instance", held: typing.Mapping[int, _Held]) -> dict[int, Grant]:
    """The grants on record; of an instance that was built before there were any, its due.

    That is what its flavor names, or else, where its image names any, what the ledger has for its
    first region: never what the image names now.

    :param held: the regions that it holds on this host, by number
    """
    if known(instance):
        return of(instance)
    names = instance.system_metadata.get(request.IMAGE_METADATA)
    burnt = held[1].image_id if names and 1 in held else None
    return of_flavor(instance.flavor) or (of_image(burnt) if burnt else {})
