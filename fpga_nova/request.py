# SPDX-License-Identifier: Apache-2.0
"""How many regions a flavor takes, a host has and a host has left.

The same few rules serve the resource tracker, the claim, the scheduler's host state and FpgaFilter.
Counts that an unpatched service or an older record left out are None or missing and read as 0.
"""

import re
import typing

from fpga_nova import functions, region_classes
from fpga_nova.contract import REGION_NUMBERS

#: The flavor extra spec that names the bitstream image of an instance's first region.
EXTRA_SPEC = "hw:fpga_ip_id"

#: The property of a container image that names the bitstream image of its first region.
IMAGE_PROPERTY = "hw_fpga_ip_id"

#: Under this key an instance's system metadata has what that property was.
IMAGE_METADATA = f"image_{IMAGE_PROPERTY}"

#: Under this key it has which bitstream was accepted of the image (`fpga_nova.grants`).
ACCEPTED_METADATA = "fpga_grant_image"

#: The number of the region that each extra spec asks for; no other key asks for one.
NUMBERS = {EXTRA_SPEC: 1} | {f"{EXTRA_SPEC}_{number}": number for number in REGION_NUMBERS[1:]}

#: Placement's class of the regions that the scheduler asks for.
RESOURCE_CLASS = region_classes.REGION

#: What the limit of these regions is called in Keystone, as nova-api calls it.
LIMIT = f"class:{RESOURCE_CLASS}"

#: Where a host's stats have the images that its regions hold: in use, and free but kept warm.
STATS = {"programmed": "fpga_images", "free": "fpga_warm"}

#: Where they have the functions whose best bitstream such regions hold.
FUNCTION_STATS = {"programmed": "fpga_functions", "free": "fpga_functions_warm"}

#: What an extra spec's value has to be; rootwrap's fpga.filters let nothing else through.
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


_DEVICE_LENGTH = 255


def extra_specs_of(flavor: typing.Any) -> dict[str, str]:
    """The extra specs of a Nova flavor object, empty where they were not loaded."""
    if flavor is None or "extra_specs" not in flavor:
        return {}
    return flavor.extra_specs or {}


def bitstreams(extra_specs: typing.Mapping[str, str] | None) -> dict[int, str]:
    """The Glance ids of the bitstream images that extra specs name, by number of the region."""
    specs = extra_specs or {}
    return {number: specs[key] for key, number in NUMBERS.items() if key in specs}


def functions_wanted(extra_specs: typing.Mapping[str, str] | None) -> dict[int, str]:
    """The functions that extra specs ask for, by number of the region.

    By `functions.EXTRA_SPEC` or, where they have nothing else of ours, by a group for Placement
    with a class of regions and the trait of a function.
    """
    specs = extra_specs or {}
    named = functions.named(specs)
    if named or bitstreams(specs):
        return named
    wanted: list[str] = []
    for group in functions.groups(specs):
        if group.amount.isdecimal() and len(group.functions) == 1:
            wanted += group.functions * min(int(group.amount), len(REGION_NUMBERS))
    return dict(zip(REGION_NUMBERS, wanted, strict=False))


def wanted_of(flavor: typing.Any) -> tuple[dict[int, str], dict[int, str]]:
    """The bitstreams and the functions that a flavor asks for, by number of the region."""
    extra_specs = extra_specs_of(flavor)
    return bitstreams(extra_specs), functions_wanted(extra_specs)


def numbers(extra_specs: typing.Mapping[str, str] | None) -> list[int]:
    """The numbers of the regions that extra specs ask for."""
    return sorted(bitstreams(extra_specs).keys() | functions_wanted(extra_specs).keys())


def with_image(extra_specs: dict[str, str], image_id: str | None) -> dict[str, str]:
    """Extra specs of a flavor with the bitstream of an image; a flavor that asks for any wins.

    :returns: the very same extra specs where that changes nothing
    """
    if not image_id or region_count(extra_specs):
        return extra_specs
    return {**extra_specs, EXTRA_SPEC: image_id}


def flaw(extra_specs: typing.Mapping[str, str]) -> str | None:
    """What is wrong with what extra specs say of regions, for people; None if nothing is.

    nova-api checks them from microversion 2.86 on, and not before.
    """
    for key, value in sorted(extra_specs.items()):
        words = _flaw_of_key(key) or _flaw_of_value(key, value)
        if words is not None:
            return words
    return _flaw_of_both(extra_specs) or _flaw_of_groups(extra_specs)


def _flaw_of_key(key: str) -> str | None:
    spelling = key.lower()
    for own, regions in ((EXTRA_SPEC, NUMBERS), (functions.EXTRA_SPEC, functions.NUMBERS)):
        if key != spelling and spelling.startswith(own):
            return (
                f"the flavor has {key}, which asks for nothing: write it {spelling}; the operator "
                "has to correct it"
            )
        if key.startswith(f"{own}_") and key not in regions:
            return (
                f"the flavor has {key}, which asks for nothing: a flavor's regions are "
                f"{', '.join(regions)}; the operator has to correct it"
            )
    return None


def _flaw_of_value(key: str, value: str) -> str | None:
    if key in NUMBERS and not UUID.fullmatch(value):
        return (
            f"the flavor's {key} is '{value}', which is not the uuid of an image; the operator "
            "has to set it to one"
        )
    if key in functions.NUMBERS and not functions.WORD.fullmatch(value):
        return (
            f"the flavor's {key} is '{value}', which is not a function: a function has up to 64 "
            "letters, digits and ._+- and begins with a letter or digit; the operator has to "
            "correct it"
        )
    return None


def _flaw_of_both(extra_specs: typing.Mapping[str, str]) -> str | None:
    """Two spellings of one region, of which nobody knows which one counts."""
    named = functions.named(extra_specs)
    twice = sorted(named.keys() & bitstreams(extra_specs).keys())
    if twice:
        return (
            f"the flavor names both a bitstream and a function for region {twice[0]}; the "
            "operator has to remove one of them"
        )
    classes = _classes_named(extra_specs)
    if named and classes:
        return (
            f"the flavor has {functions.EXTRA_SPEC} and names {classes[0]} itself; the "
            "operator has to remove one of them"
        )
    return None


def _flaw_of_groups(extra_specs: typing.Mapping[str, str]) -> str | None:
    if bitstreams(extra_specs):
        return None
    groups = functions.groups(extra_specs)
    for group in groups:
        if len(group.functions) > 1:
            return (
                f"the flavor requires the traits of {len(group.functions)} functions of one group "
                f"of regions: {', '.join(group.functions)}; the operator has to write a group for "
                "each"
            )
        if not group.amount.isdecimal():
            return (
                f"the flavor asks for '{group.amount}' of {group.resource_class}, which is not "
                "a number; the operator has to correct it"
            )
    amount = sum(int(group.amount) for group in groups)
    if amount > len(REGION_NUMBERS):
        return (
            f"the flavor asks for {amount} regions, and a server has up to {len(REGION_NUMBERS)}; "
            "the operator has to correct it"
        )
    return None


def region_count(extra_specs: typing.Mapping[str, str] | None) -> int:
    """How many regions these extra specs ask for."""
    return len(numbers(extra_specs))


def regions_not_named(
    extra_specs: typing.Mapping[str, str] | None, resources: typing.Mapping[str, int]
) -> int:
    """How many regions these extra specs ask for beyond those that they name by classes.

    :param resources: what they ask for by class
    """
    return max(region_count(extra_specs) - region_classes.amount(resources), 0)


def count(holder: typing.Any, name: str) -> int:
    """A count of a compute node or host state; 0 where it is None or absent."""
    try:
        return getattr(holder, name, None) or 0
    except NotImplementedError:  # of a field of Nova's objects that was never set
        return 0


def regions_free(holder: typing.Any) -> int:
    """Regions left on a compute node or host state; never below 0."""
    free = count(holder, "fpga_regions") - count(holder, "fpga_regions_used")
    return max(free, 0)


def share_free(holder: typing.Any) -> float:
    """The share of a compute node's or host state's regions that is left; 0 where it has none."""
    total = count(holder, "fpga_regions")
    return max(total - count(holder, "fpga_regions_used"), 0) / total if total else 0.0


def names_resource(extra_specs: typing.Mapping[str, str]) -> bool:
    """Whether extra specs ask Placement for regions themselves, in whichever group."""
    return bool(_classes_named(extra_specs))


def _classes_named(extra_specs: typing.Mapping[str, str]) -> list[str]:
    keys = (key.partition(":") for key in extra_specs)
    return region_classes.among(name for group, _, name in keys if group.startswith("resources"))


def images(host_state: typing.Any, state: str) -> str:
    """The images of a host's regions in a state, one of STATS, as of its last audit.

    :returns: ids with blanks between them; as all are as long, ``in`` finds a whole one only
    """
    stats = getattr(host_state, "stats", None)
    return str(stats.get(STATS[state]) or "") if stats else ""


def functions_held(host_state: typing.Any, state: str) -> frozenset[str]:
    """The functions whose best bitstream a host's regions in a state hold, as of its last audit."""
    stats = getattr(host_state, "stats", None)
    return frozenset(str(stats.get(FUNCTION_STATS[state]) or "").split() if stats else ())


def joined(region_ids: typing.Mapping[int, str]) -> str | None:
    """What ``instances.fpga_device`` is where an instance has these regions, given by number.

    Six of our ids have room in it; longer ones of another program are cut off.
    """
    ids = ",".join(region_ids[number] for number in sorted(region_ids))
    return ids[:_DEVICE_LENGTH] or None
