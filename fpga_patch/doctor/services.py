# SPDX-License-Identifier: Apache-2.0
"""Which of Nova's processes run code from before the files were last changed."""

import collections.abc
import os
import pathlib
import re

from fpga_patch import errors, releases
from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import Settings

_SERVICE = re.compile(r"nova-(?:api-metadata|api|compute|conductor|scheduler)\b|nova\.wsgi")


def old_code(settings: Settings) -> list[Finding]:
    """A finding for each service that is to be restarted."""
    try:
        version = releases.version_of(settings.nova)
        (diff,) = releases.find_diffs(settings.nova, version, with_tests=False)
        changed = max((settings.nova / name).stat().st_ctime for name in diff.digests)
    except (errors.UnknownNovaError, FileNotFoundError):
        return []
    started: dict[str, float] = {}
    for name, at in _services(settings.nova.parent):
        started[name] = min(at, started.get(name, at))
    return [
        Finding("services", "ok", f"{name} runs the code that is installed")
        if at > changed
        else Finding("services", "missing", f"{name} runs old code", f"systemctl restart {name}")
        for name, at in sorted(started.items())
    ] or [Finding("services", "ok", "no service of Nova runs here")]


def _services(packages: pathlib.Path) -> collections.abc.Iterator[tuple[str, float]]:
    """Name and start time of the processes that use what is installed in a folder."""
    boot = next(
        int(line.split()[1])
        for line in pathlib.Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime ")
    )
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            called = process.joinpath("cmdline").read_text(errors="replace").replace("\0", " ")
            name = _SERVICE.search(called)
            if name is None or f"{packages}/" not in process.joinpath("maps").read_text():
                continue
            ticks = int(process.joinpath("stat").read_text().rpartition(")")[2].split()[19])
        except (OSError, ValueError):
            continue  # it has ended, or is somebody else's
        yield name[0].replace("nova.wsgi", "nova-api"), boot + ticks / os.sysconf("SC_CLK_TCK")
