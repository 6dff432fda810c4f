# SPDX-License-Identifier: Apache-2.0
"""Whether Nova's Python finds and can load what we register."""

import collections.abc

from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import Settings

_PROGRAM = """
import importlib.metadata, json
found = {{}}
for point in importlib.metadata.entry_points(group={group!r}):
    if point.name in {names!r}:
        try:
            point.load()
            found[point.name] = None
        except Exception as e:
            found[point.name] = f"{{type(e).__name__}}: {{e}}"
print(json.dumps(found))
"""


def loadable(
    settings: Settings, check: str, group: str, names: collections.abc.Sequence[str]
) -> list[Finding]:
    """One finding: the entry points load, or which does not and why."""
    program = _PROGRAM.format(group=group, names=list(names))
    found = settings.ask_nova(program)
    if found is None:
        return [Finding(check, "skipped", "Nova's Python is not known or does not run")]
    absent = [name for name in names if name not in found]
    if absent:
        text = f"Nova's Python has no entry point {', '.join(absent)} in the group {group}"
        return [Finding(check, "missing", text, "install fpga-nova[nova] beside Nova")]
    broken = [f"{name} ({why})" for name, why in found.items() if why]
    if broken:
        text = f"cannot be loaded: {', '.join(broken)}"
        return [Finding(check, "missing", text, "install what fpga-nova[nova] needs beside Nova")]
    return [Finding(check, "ok", f"{', '.join(names)} can be loaded")]
