# SPDX-License-Identifier: Apache-2.0
"""What an accelerator does, as flavors ask for it and as Placement calls it.

A function is the ``type`` of a bitstream package. Capital letters, and characters that Placement
does not take, make no difference: `Lzo-1` and `lzo_1` are the same function.
"""

import re
import typing

from fpga_nova import region_classes
from fpga_nova.contract import REGION_NUMBERS

#: The flavor extra spec that names the function of an instance's first region.
EXTRA_SPEC = "hw:fpga_function"

#: The number of the region that each extra spec asks for; no other key asks for one.
NUMBERS = {EXTRA_SPEC: 1} | {f"{EXTRA_SPEC}_{number}": number for number in REGION_NUMBERS[1:]}

#: Placement knows by this trait, with a function at its end, that a card can have the function.
TRAIT = "CUSTOM_ACCELERATOR_"

#: A type that names a function, as the manifest's schema has it.
WORD = re.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


def canonical(word: str) -> str | None:
    """The one spelling of a function; None where the word names none."""
    return re.sub("[^a-z0-9]", "_", word.lower()) if WORD.fullmatch(word) else None


def named(extra_specs: typing.Mapping[str, str]) -> dict[int, str]:
    """The functions that extra specs name, by number of the region."""
    words = {n: extra_specs[key] for key, n in NUMBERS.items() if key in extra_specs}
    return {number: canonical(word) or word for number, word in words.items()}


class Group(typing.NamedTuple):
    """A group of what extra specs ask Placement for, as far as it is about functions.

    :ivar name: which follows ``resources`` and ``trait``; empty for the unnumbered group
    :ivar resource_class: of the regions
    :ivar amount: of regions, as it is written
    :ivar functions: of which the group requires the traits
    """

    name: str
    resource_class: str
    amount: str
    functions: list[str]


def groups(extra_specs: typing.Mapping[str, str]) -> list[Group]:
    """The groups that ask for regions, and for functions by their traits, in order of names.

    So the first users of accelerators in OpenStack wrote what they want.
    """
    found = []
    for key, amount in sorted(extra_specs.items()):
        kind, _, name = key.partition(":")
        if not kind.startswith("resources") or not region_classes.is_one(name):
            continue
        group = kind.removeprefix("resources")
        prefix = f"trait{group}:{TRAIT}"
        required = sorted(
            one.removeprefix(prefix).lower()
            for one, value in extra_specs.items()
            if one.startswith(prefix) and value == "required"
        )
        if required:
            found.append(Group(group, name, amount, required))
    return found


def trait(function: str) -> str:
    """The trait of a function in its one spelling."""
    return f"{TRAIT}{function.upper()}"
