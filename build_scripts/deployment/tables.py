# SPDX-License-Identifier: Apache-2.0
"""Tables of the hosts that fit the terminal."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployment.preflight import Report, free_gib
from deployment.status import HostStatus

#: Columns where the output is no terminal.
WIDTH = 120


def show(table: Table) -> None:
    """Print a table to standard output."""
    width = None if sys.stdout.isatty() else WIDTH
    Console(width=width, highlight=False, soft_wrap=False).print(table)


def preflight(reports: list[Report]) -> Table:
    """What was found on each host before a change."""
    table = _table("node", "address", "SSH", "system", "Python", "systemd", "GiB free", "fault")
    for one in reports:
        facts, free = one.facts, free_gib(one.facts)
        cells = [facts.get(name, "") for name in ("system", "python", "systemd")]
        _row(
            table,
            one.node.name,
            str(one.node.address),
            "yes" if facts else "no",
            *cells,
            "" if free is None else f"{free:.1f}",
            "; ".join(one.faults + one.outdated) or "none",
        )
    return table


def status(found: list[HostStatus]) -> Table:
    """The regions of each host, and Nova's state of it."""
    table = _table("node", "regions", "used", "quarantined", "bitstreams", "Nova", "last error")
    for one in found:
        numbers = ("?" if n is None else str(n) for n in (one.regions, one.used, one.quarantined))
        error = f"no answer: {one.failure}" if one.failure else one.error or "none"
        _row(table, one.name, *numbers, ", ".join(one.bitstreams), one.nova or "unknown", error)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    # A message from a host is no markup, and has no control characters.
    table.add_row(*(Text("".join(c if c.isprintable() else "?" for c in cell)) for cell in cells))
