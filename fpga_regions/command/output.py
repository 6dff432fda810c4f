# SPDX-License-Identifier: Apache-2.0
"""Writes a region, events, differences or a plan for people and for programs."""

import dataclasses
import json
import typing

from fpga_regions.ledger import status
from fpga_regions.model import Event, Region

if typing.TYPE_CHECKING:
    from fpga_regions.manager.dry_run import Choice
    from fpga_regions.manager.reconcile import Difference
    from fpga_regions.manager.replacement import Outcome

_NOTHING = "-"


def region_json(region: Region, healthy: bool | None) -> str:
    """All that is known of a region: what the status has of it, and more."""
    return json.dumps(_region(region, healthy), indent=2)


def region_text(region: Region, healthy: bool | None) -> str:
    """The same in lines for people."""
    fields = _region(region, healthy)
    nodes = [f"{node.name} is {node.path} ({node.kind})" for node in region.nodes]
    fields |= {"nodes": ", ".join(nodes) or None, "kinds": ", ".join(fields["kinds"])}
    width = max(len(name) for name in fields)
    return "\n".join(f"{name:{width}}  {_word(value)}" for name, value in fields.items())


def events_json(events: list[Event]) -> str:
    """Events, oldest first, for programs."""
    return json.dumps({"events": [dataclasses.asdict(event) for event in events]}, indent=2)


def events_text(events: list[Event]) -> str:
    """A table of events, oldest first, for people."""
    rows: list[tuple[str, ...]] = [("at", "region", "before", "state", "owner", "what happened")]
    for event in events:
        row = (event.at, event.region_id, event.before, event.state, event.owner, event.note)
        rows.append(tuple(_word(value) for value in row))
    return _table(rows)


def differences_json(differences: "list[Difference]") -> str:
    """Where hardware and ledger differ, for programs."""
    return json.dumps({"differences": [_difference(one) for one in differences]}, indent=2)


def differences_text(differences: "list[Difference]") -> str:
    """The same, a line each."""
    lines = []
    for one in differences:
        done = f"; {one.done}" if one.done else ""
        lines.append(
            f"{one.kind}: {one.region_id or 'region'} ({one.device}, {one.index}): the ledger has "
            f"it {one.ledger}, the hardware: {one.hardware}{done}"
        )
    return "\n".join(lines)


def choices_text(choices: "list[Choice]") -> str:
    """What a burn would do with each region, a line each."""
    lines = []
    for choice in choices:
        region, verdict = choice.region, "would take" if choice.chosen else "not"
        place = f"({region.slot.device}, {region.slot.index})"
        lines.append(f"{verdict} {region.id} {place}: it {choice.why}")
    return "\n".join(lines)


def replacement_json(outcome: "Outcome") -> str:
    """What came of putting another bitstream into a region, for programs; also where it failed."""
    return json.dumps(
        {
            "region": outcome.region_id,
            "nodes": "same" if outcome.same_nodes else "new",
            "restored": outcome.failure is not None,
        }
    )


def _difference(difference: "Difference") -> dict[str, typing.Any]:
    """The fields of a difference; their names stay."""
    fields = dataclasses.asdict(difference)
    del fields["outcome"]
    return fields | {"quarantined": difference.quarantined}


def _region(region: Region, healthy: bool | None) -> dict[str, typing.Any]:
    fields = status.region(region, healthy)
    reason = fields.pop("reason")
    return fields | {
        "index": region.slot.index,
        "interface": region.slot.interface,
        "kinds": sorted(region.slot.kinds),
        "lost": region.lost,
        "reason": reason,
    }


def _word(value: typing.Any) -> str:
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(c if c.isprintable() else " " for c in str(value))


def _table(rows: typing.Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(f"{row[i]:{widths[i]}}" for i in range(len(widths))), row[-1]]) for row in rows
    )
