# SPDX-License-Identifier: Apache-2.0
"""How far a unit of the cloud may be exposed, by the table in docs/hosts.md; how far it is.

Exposures are in tenths: systemd-analyze counts to 10.0.
"""

import re
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs/hosts.md"
#: The row of all units that have none of their own.
_OTHERS = "all others"


def limits() -> dict[str, int]:
    """The greatest exposure that the page permits, by the name of the daemon."""
    rows = re.findall(r"^\| `?([a-z -]+)`? \| (\d+)\.(\d) \|", _PAGE.read_text(), re.MULTILINE)
    return {name: 10 * int(whole) + int(tenth) for name, whole, tenth in rows}


def limit(daemon: str) -> int:
    """That of one daemon."""
    known = limits()
    return known.get(daemon, known[_OTHERS])


def exposure(report: str) -> int:
    """What `systemd-analyze security` found, by what it printed."""
    found = re.search(r"Overall exposure level for \S+: (\d+)\.(\d) ", report)
    assert found, report
    return 10 * int(found[1]) + int(found[2])
