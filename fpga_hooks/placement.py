# SPDX-License-Identifier: Apache-2.0
"""Tells Placement of the regions of this host: an inventory and traits on the host's own provider.

A virt driver calls this from its update_provider_tree. Nova calls that within claims, too, so what
the last audit saw is told and nothing is asked here.
"""

import typing

from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks import cli, host, traits
from fpga_hooks.accounting import RESOURCE_CLASS

if typing.TYPE_CHECKING:
    from nova.compute import provider_tree

CONF = cfg.CONF
LOG = logging.getLogger(__name__)


def update_provider_tree(tree: "provider_tree.ProviderTree", nodename: str) -> None:
    """Set our inventory and our traits on the provider of a node; leave all others alone.

    An inventory that is there is never taken away, because instances may have allocations of it,
    and Nova does not start with one that cannot be removed. What the host cannot give any more is
    reserved instead.
    """
    status = host.last() if CONF.fpga.access else None
    known = tree.data(nodename).inventory
    ours = _inventory(status, known.get(RESOURCE_CLASS))
    if ours is not None:
        tree.update_inventory(nodename, {**known, RESOURCE_CLASS: ours})
    if status is not None or not CONF.fpga.access:
        known_traits = set(tree.data(nodename).traits)
        tree.update_traits(nodename, _others(known_traits, status) | _traits(status))


def _inventory(
    status: cli.Status | None, known: dict[str, typing.Any] | None
) -> dict[str, typing.Any] | None:
    if status is None or not status.total:
        return {**known, "reserved": known["total"]} if known else None
    return {
        "total": status.total,
        "reserved": min(status.quarantined + status.unowned, status.total),
        "min_unit": 1,
        "max_unit": status.total,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }


def _traits(status: cli.Status | None) -> set[str]:
    """What the regions are, and what is loaded into them."""
    if status is None or not status.regions:
        return set()
    told = {
        traits.name(kind, value)
        for region in status.regions
        for kind in traits.KINDS
        if (value := getattr(region, kind))
    }
    return {traits.FPGA} | told


def _others(known: set[str], status: cli.Status | None) -> set[str]:
    """The traits that somebody else set.

    Those of vendors are ours only where the program tells vendors.
    """
    regions = status.regions if status else ()
    kinds = [kind for kind in traits.KINDS if kind != "vendor" or any(r.vendor for r in regions)]
    ours = tuple(traits.name(kind, "") for kind in kinds)
    return {trait for trait in known if trait != traits.FPGA and not trait.startswith(ours)}
