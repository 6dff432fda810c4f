# SPDX-License-Identifier: Apache-2.0
"""The status of the regions of a host, for people and for programs."""

import dataclasses
import json
import typing

from fpga_regions.model import Region, State

Regions = typing.Sequence[tuple[Region, bool | None]]


def text(regions: Regions) -> str:
    """The one line for people: regions used, and in all."""
    return f"Used regions: {sum(region.used for region, _ in regions)}/{len(regions)}"


def as_json(regions: Regions) -> str:
    """Everything known, for programs."""
    return json.dumps(document(regions), indent=2)


def document(regions: Regions) -> dict[str, typing.Any]:
    """The same before it is written; the names stay."""
    return {
        "total": len(regions),
        "used": sum(region.used for region, _ in regions),
        "quarantined": sum(region.state == State.QUARANTINED for region, _ in regions),
        "regions": [region(one, healthy) for one, healthy in regions],
    }


def region(region: Region, healthy: bool | None) -> dict[str, typing.Any]:
    """The fields of one region; their names stay."""
    warm = region.warm if region.state == State.FREE else None
    return {
        "id": region.id,
        "device": region.slot.device,
        "driver": region.slot.driver,
        "vendor": region.slot.vendor,
        "board": region.slot.board,
        "part": region.slot.part,
        "address": region.slot.address,
        "simulated": region.slot.simulated,
        "state": region.state,
        "healthy": healthy,
        "quarantine": region.quarantine,
        "owner": region.owner,
        "number": region.number,
        "handed_out": region.handed_out,
        "image_id": warm.image_id if warm else region.image_id,
        "function": warm.loaded.function if warm else region.function,
        "digest": warm.loaded.digest if warm else region.digest,
        "nodes": [dataclasses.asdict(node) for node in region.nodes] or None,
        "since": region.since,
        "reason": region.reason,
    }
