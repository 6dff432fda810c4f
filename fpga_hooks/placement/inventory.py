# SPDX-License-Identifier: Apache-2.0
"""Tells Placement of the regions of this host: inventories and traits, of the host or by card.

A virt driver calls this from its update_provider_tree. Nova calls that within claims, too, so this
reports what the last audit saw and asks nothing.
"""

import typing

import os_traits
from nova import exception
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.functions import choice
from fpga_hooks.placement import function_traits, providers, reshape
from fpga_hooks.program import last_look
from fpga_nova import functions, host_status, region_classes, traits

if typing.TYPE_CHECKING:
    from nova.compute import provider_tree

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: The name of a provider, and a class of which it has an inventory.
_Source = tuple[str, str]

#: The trait that Nova 34 gives to all providers of its own.
_OWNER = getattr(os_traits, "OWNER_NOVA", None)


def update_provider_tree(
    tree: "provider_tree.ProviderTree",
    nodename: str,
    allocations: reshape.Allocations | None = None,
) -> None:
    """Set our inventories and our traits on the providers of a node; leave all others alone.

    An inventory that is there is never taken away, because instances may have allocations of it,
    and Nova does not start with one that cannot be removed. What the host cannot give any more is
    reserved instead. It is moved, with its allocations, when the service starts with another
    ``[fpga] providers`` or ``region_classes`` than before.

    :param allocations: of all providers of the node; Nova gives them where this raised
    :raises nova.exception.ReshapeNeeded: inventories are to be moved, when the service starts
    """
    status = last_look.ours.status if CONF.fpga.access else None
    places = providers.ours.places(tree, nodename, status)
    classes = {
        name: providers.ours.class_of(tree, name, regions) for name, regions in places.items()
    }
    sources = [
        (name, one)
        for name in providers.names(tree, nodename)
        for one in region_classes.among(tree.data(name).inventory)
        if classes.get(name) != one
    ]
    moves = bool(sources) and status is not None and not providers.ours.settled(nodename)
    if moves and allocations is None:
        raise exception.ReshapeNeeded
    for name, regions in places.items():
        before = tree.data(name).inventory.get(classes[name])
        _set_inventory(tree, name, classes[name], _inventory(regions, before))
    if moves and status is not None and allocations is not None:
        _move(tree, nodename, sources, classes, places, reshape.Mover(status, allocations))
    else:
        _reserve(tree, sources)
    if not sources:
        providers.ours.settle(nodename)
    if status is not None or not CONF.fpga.access:
        every = [region for regions in places.values() for region in regions or ()]
        few = function_traits.of(every) | function_traits.accelerators(every)
        for name in {nodename: (), **places}:
            _set_traits(tree, nodename, name, places, few)


def _set_inventory(
    tree: "provider_tree.ProviderTree",
    name: str,
    resource_class: str,
    ours: dict[str, typing.Any] | None,
) -> None:
    if ours is not None:
        tree.update_inventory(name, {**tree.data(name).inventory, resource_class: ours})


def _reserve(tree: "provider_tree.ProviderTree", sources: list[_Source]) -> None:
    """Have inventories give nothing whose regions are in others."""
    for name, one in sources:
        _set_inventory(tree, name, one, _inventory(None, tree.data(name).inventory[one]))


def _inventory(
    regions: providers.Regions, before: dict[str, typing.Any] | None
) -> dict[str, typing.Any] | None:
    if not regions:
        return {**before, "reserved": before["total"]} if before else None
    return {
        "total": len(regions),
        "reserved": sum(region.withheld for region in regions),
        "min_unit": 1,
        "max_unit": len(regions),
        "step_size": 1,
        "allocation_ratio": 1.0,
    }


def _move(
    tree: "provider_tree.ProviderTree",
    nodename: str,
    sources: list[_Source],
    classes: typing.Mapping[str, str],
    places: typing.Mapping[str, providers.Regions],
    mover: reshape.Mover,
) -> None:
    """Bring inventories with their allocations from the providers that had them to those of now."""
    here = {tree.data(name).uuid: name for name, regions in places.items() if regions}
    rooms = {}
    for uuid, name in here.items():
        free = len(places[name] or ()) - mover.allocated((uuid, classes[name]))
        rooms[uuid] = reshape.Room(traits.card_in(name, nodename), free, classes[name])
    mover.move({(tree.data(name).uuid, one) for name, one in sources}, rooms)
    for uuid, name in here.items():
        # What is allocated fits, whatever happened to its region; the next audit reserves it.
        ours = tree.data(name).inventory[classes[name]]
        reserved = min(ours["reserved"], max(rooms[uuid].free, 0))
        _set_inventory(tree, name, classes[name], {**ours, "reserved": reserved})
    for name, one in sources:
        rest = dict(tree.data(name).inventory)
        del rest[one]
        tree.update_inventory(name, rest)
    for name in {name for name, _ in sources} - {nodename, *places}:
        tree.remove(name)
    found = ", ".join(sorted(set(classes.values())))
    LOG.info("Placement gets the FPGA regions by %s now, as %s", CONF.fpga.providers, found)


def _set_traits(
    tree: "provider_tree.ProviderTree",
    nodename: str,
    name: str,
    places: typing.Mapping[str, providers.Regions],
    few: frozenset[str],
) -> None:
    """A host whose cards have providers of their own has none but that it has regions."""
    regions = places.get(name)
    before = set(tree.data(name).traits)
    ours = _traits(regions or (), few)
    if name not in places:
        ours = {traits.FPGA} if any(places.values()) else set()
    elif name != nodename and regions is None:
        return
    elif name != nodename and _OWNER:
        ours.add(_OWNER)
    new = _others(before, regions or ()) | ours
    function_traits.sweep.note(before - new)
    tree.update_traits(name, new)


def _traits(regions: tuple[host_status.Region, ...], few: frozenset[str]) -> set[str]:
    """What the regions are, what is loaded into them and what they can do.

    :param few: of functions, these traits alone
    """

    def values_of(*kinds: str) -> set[str]:
        values = ((kind, getattr(region, kind)) for region in regions for kind in kinds)
        return {traits.name(kind, value) for kind, value in values if value}

    if not regions:
        return set()
    can = {functions.trait(function) for function in choice.functions_of(regions)}
    of_functions = (values_of("function") | can) & few
    return values_of("vendor", "board") | of_functions | {traits.FPGA}


def _others(names: set[str], regions: tuple[host_status.Region, ...]) -> set[str]:
    """The traits that somebody else set.

    Those of vendors are ours only where the program reports vendors.
    """
    kinds = [kind for kind in traits.KINDS if kind != "vendor" or any(r.vendor for r in regions)]
    ours = (*(traits.name(kind, "") for kind in kinds), functions.TRAIT)
    return {trait for trait in names if trait != traits.FPGA and not trait.startswith(ours)}
