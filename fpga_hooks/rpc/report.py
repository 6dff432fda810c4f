# SPDX-License-Identifier: Apache-2.0
"""The regions of this host as fpga-api gets them: what is on record, never a look at hardware.

The published status is the newest. Where fpga-cli publishes none that nova-compute can read, what
the last audit saw takes its place.
"""

import dataclasses
import typing

from fpga_hooks.program import last_look, published

#: Seconds; an audit publishes once a minute, and a busy host may miss one.
_OLDEST = 180.0

#: What is reported of a region, null where it is not known.
_NAMES = (
    *("id", "device", "driver", "vendor", "board", "part", "address", "simulated", "state"),
    *("healthy", "quarantine", "owner", "number", "handed_out", "image_id", "function", "digest"),
    *("nodes", "since", "reason"),
)


def report() -> dict[str, typing.Any] | None:
    """When the regions were so, and the regions; None where this host does not know them.

    A region has the names of status.schema.json, and ``withheld``: no instance has it or may get
    it; and ``claimed``: a claim has it.
    """
    seen = last_look.ours.status
    others = {
        "withheld": {region.id for region in seen.regions if region.withheld} if seen else set(),
        "claimed": {region.id for region in seen.regions if region.of_claim} if seen else set(),
    }
    answer = published.document(_OLDEST)
    if answer is not None:
        return _report(answer["at"], answer["regions"], others)
    if seen is None or last_look.ours.at is None:
        return None
    regions = [dataclasses.asdict(region) for region in seen.regions]
    return _report(last_look.ours.at.isoformat(timespec="milliseconds"), regions, others)


def _report(
    at: str, regions: list[dict[str, typing.Any]], others: dict[str, set[str]]
) -> dict[str, typing.Any]:
    entries = [
        {name: region.get(name) for name in _NAMES}
        | {name: region["id"] in ids for name, ids in others.items()}
        for region in regions
    ]
    return {"at": at, "regions": entries}
