# SPDX-License-Identifier: Apache-2.0
"""Which bitstreams the operator accepts by their function, and which of them goes first."""

import dataclasses
import re
import typing

from oslo_config import cfg

from fpga_hooks.functions import catalogue
from fpga_hooks.functions.catalogue import Bitstream
from fpga_nova import functions, host_status

CONF = cfg.CONF

_Regions = typing.Iterable[host_status.Region]


@dataclasses.dataclass(frozen=True)
class _Policy:
    """What the operator accepts, read once for all bitstreams."""

    sources: frozenset[str]
    digests: frozenset[str]
    signed: bool
    pins: dict[str, str]

    @classmethod
    def read(cls) -> "_Policy":
        words = CONF.fpga.function_versions.items()
        return cls(
            frozenset(CONF.fpga.function_bitstreams),
            frozenset(CONF.fpga.function_digests),
            CONF.fpga.function_bitstreams_signed,
            {functions.canonical(word) or word: version for word, version in words},
        )

    def accepts(self, bitstream: Bitstream) -> bool:
        """Whether a bitstream may be chosen: by its owner or visibility, digest, signature, pin."""
        public = bitstream.public and "public" in self.sources
        if not public and bitstream.owner not in self.sources:
            return False
        if self.digests and bitstream.digest not in self.digests:
            return False
        if self.signed and not bitstream.signed:
            return False
        return self.pins.get(bitstream.function) in (None, bitstream.version)


def suits(bitstream: Bitstream, region: host_status.Region) -> bool:
    """Whether it is for a region's board and part, as far as its record says."""
    if region.board != bitstream.board:
        return False
    return None in (bitstream.part, region.part) or bitstream.part in str(region.part).split(",")


def of(function: str, regions: _Regions) -> list[Bitstream]:
    """The accepted bitstreams of a function for any of these regions, the best first.

    That is the newest version, or of the version that the operator has pinned the one that changed
    last.
    """
    return _ranked(one for one in _candidates(regions) if one.function == function)


def all_of(function: str) -> list[Bitstream]:
    """The accepted bitstreams of a function for whatever board."""
    policy = _Policy.read()
    every = (one for one in catalogue.ours.all() if one.function == function)
    return _ranked(one for one in every if policy.accepts(one))


def functions_of(regions: _Regions) -> set[str]:
    """The functions that these regions can have; those in quarantine can have none."""
    return {one.function for one in _candidates(r for r in regions if not r.quarantined)}


def in_state(regions: _Regions, state: str) -> set[str]:
    """The functions whose best bitstream one of these regions holds in a state.

    One of another version is no reason to prefer a host: it would be burnt anew.
    """
    places = tuple(region for region in regions if not region.quarantined)
    images = {region.image_id for region in places if region.state == state}
    # The best one of a function comes last here, and stays.
    best = {one.function: one.id for one in reversed(_ranked(_candidates(places)))}
    return {function for function, image_id in best.items() if image_id in images}


def _candidates(regions: _Regions) -> typing.Iterator[Bitstream]:
    places, policy = tuple(regions), _Policy.read()
    for one in catalogue.ours.all():
        if policy.accepts(one) and any(suits(one, region) for region in places):
            yield one


def _ranked(bitstreams: typing.Iterable[Bitstream]) -> list[Bitstream]:
    return sorted(
        bitstreams, key=lambda one: (_rank(one.version), one.changed, one.id), reverse=True
    )


def _rank(version: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts versions by the numbers in them: 1.10 comes after 1.9, and 1.0 after 1.0-rc1."""
    words = re.findall("[0-9]+|[a-z]+", version.lower())
    marks = [(1, int(word[:18]), "") if word.isdecimal() else (-1, 0, word) for word in words]
    return (*marks, (0, 0, ""))
