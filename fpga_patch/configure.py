# SPDX-License-Identifier: Apache-2.0
"""The configuration files that ``apply --configure`` writes, and that ``revert`` removes.

Only files of our own: a drop-in where Nova reads it, and rootwrap's filters. What Nova's own files
set over the drop-in, doctor tells.
"""

import collections.abc
import pathlib

from fpga_patch import store
from fpga_patch.doctor import compute, settings

_HEAD = "# Written by 'fpga-patch apply --configure'; 'revert' removes it if it is unchanged.\n"


def files(of: settings.Settings, roles: collections.abc.Collection[str]) -> dict[pathlib.Path, str]:
    """What is to be written for a host of these roles; empty where nothing is missing."""
    texts: dict[pathlib.Path, str] = {}
    sections = []
    if "compute" in roles:
        sections += [f"[DEFAULT]\ncompute_driver = {settings.DRIVER}\n", "[fpga]\naccess = True\n"]
        missing = any(one.level == "missing" for one in compute.filters_file(of))
        if missing and (folders := compute.filters_path(of)):
            texts[folders[-1] / compute.FILTERS.name] = compute.FILTERS.read_text()
    if "controller" in roles:
        enabled = [name for name in of.enabled_filters() if name != "FpgaFilter"]
        others = [
            name
            for name in of.conf.filter_scheduler.available_filters
            if name not in (settings.FPGA_FILTER, settings.ALL_FILTERS)
        ]
        available = [settings.ALL_FILTERS, *others, settings.FPGA_FILTER]
        sections.append(
            "[filter_scheduler]\n"
            + "".join(f"available_filters = {name}\n" for name in available)
            + f"enabled_filters = {','.join([*enabled, 'FpgaFilter'])}\n"
        )
    if sections:
        texts[of.etc / settings.DROP_IN] = _HEAD + "\n" + "\n".join(sections)
    return {
        path: text for path, text in texts.items() if not path.exists() or path.read_text() != text
    }


def write(
    storage: store.Store, texts: collections.abc.Mapping[pathlib.Path, str]
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Write the files; one that somebody else made or changed is left alone.

    :returns: what was written, and what was left
    """
    ours, written, skipped = storage.configuration(), [], []
    for path, text in texts.items():
        if path.exists() and store.digest(path) != ours.get(str(path)):
            skipped.append(path)
            continue
        storage.write_configuration(ours | {str(path): store.sha256(text.encode())})
        ours = storage.configuration()
        store.write(path, text.encode())
        written.append(path)
    return written, skipped


def remove(storage: store.Store) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Remove the files that were written.

    :returns: what was removed, and what is left because somebody changed it
    """
    removed, skipped = [], []
    for name, digest in storage.configuration().items():
        path = pathlib.Path(name)
        is_now = store.digest(path)
        if is_now == digest:
            path.unlink()
            removed.append(path)
        elif is_now is not None:
            skipped.append(path)
    storage.write_configuration({})
    return removed, skipped
