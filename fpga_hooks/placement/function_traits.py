# SPDX-License-Identifier: Apache-2.0
"""Keeps the traits of functions few: those of a host are bounded, those that nobody has deleted.

A function's name is its package's, and so is the type of an accelerator. So whoever may upload
packages chooses names of traits.
"""

import itertools
import typing

from keystoneauth1 import exceptions as ksa_exceptions
from nova.scheduler.client import report
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.functions import catalogue, choice
from fpga_nova import functions, host_status, traits

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: The first microversion of Placement that knows traits.
_MICROVERSION = "1.6"

_KIND = "function"

#: What the names of all traits begin with that are kept few.
PREFIXES = (traits.name(_KIND, ""), functions.TRAIT)


def of(regions: typing.Iterable[host_status.Region]) -> frozenset[str]:
    """The traits of the functions of a host's regions, ``[fpga] function_traits`` at most.

    Functions in use come before those that free regions are kept warm with; then the alphabet
    decides, so that every audit chooses the same ones.
    """
    ranked = sorted((not r.programmed, r.function) for r in regions if r.function)
    names = dict.fromkeys(traits.name(_KIND, function) for _, function in ranked)
    return frozenset(itertools.islice(names, CONF.fpga.function_traits))


def accelerators(regions: typing.Iterable[host_status.Region]) -> frozenset[str]:
    """The traits of what the host can do, ``[fpga] accelerator_traits`` at most.

    What is in use comes before what free regions are kept warm with, and that before what could be
    burnt.
    """
    places = tuple(regions)
    ranks: dict[str, int] = {}
    for region in places:
        bitstream = catalogue.ours.get(region.image_id) if region.image_id else None
        if bitstream is not None:
            rank = 0 if region.programmed else 1
            ranks[bitstream.function] = min(rank, ranks.get(bitstream.function, rank))
    ranked = sorted(choice.functions_of(places), key=lambda one: (ranks.get(one, 2), one))
    return frozenset(map(functions.trait, ranked[: CONF.fpga.accelerator_traits]))


class Sweep:
    """Deletes traits of functions that no provider has.

    One that is looked at twice, an audit apart, is not just being given to a provider. Should
    another host begin to use it right then, Placement refuses either the deletion or that host's
    traits, which its next audit sends again.
    """

    #: Looks after which nothing more of what happened here is to be found.
    _LOOKS = 2

    def __init__(self) -> None:
        self._noted = False
        self._looks = 0
        self._unused: frozenset[str] = frozenset()

    def note(self, removed: typing.Iterable[str]) -> None:
        """Traits are taken from a provider, or traits are set the first time since the start."""
        ours = any(trait.startswith(PREFIXES) for trait in removed)
        if ours or not self._noted:
            self._noted, self._looks = True, self._LOOKS

    def run(self) -> None:
        """Look, if there is a reason to, and delete what was unused at the last look, too."""
        if not self._looks:
            return
        try:
            placement = report.report_client_singleton()
            unused = _unused(placement)
            for name in sorted(unused & self._unused):
                status = placement.delete(f"/traits/{name}", version=_MICROVERSION).status_code
                LOG.info("Trait %s, which no provider has: deletion answered %d", name, status)
        except ksa_exceptions.ClientException as e:
            LOG.warning("Unused traits of functions stay in Placement until it answers: %s", e)
            return
        self._unused = unused
        self._looks -= 1


def _unused(placement: typing.Any) -> frozenset[str]:
    """The traits of functions that no provider has.

    :raises keystoneauth1.exceptions.ClientException: Placement does not answer that
    """
    names: set[str] = set()
    for prefix in PREFIXES:
        url = f"/traits?name=startswith:{prefix}&associated=false"
        answer = placement.get(url, version=_MICROVERSION)
        if answer.status_code != 200:
            raise ksa_exceptions.ClientException(f"GET {url} answered {answer.status_code}")
        names.update(answer.json()["traits"])
    return frozenset(names)


#: That of this service.
sweep = Sweep()
