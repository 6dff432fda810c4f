# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a tree that looks patched: record, byte code, our packages beside it."""

import pathlib
import struct
import subprocess

from fpga_patch import bytecode, store, work


def problems(view: work.View, storage: store.Store) -> list[str]:
    """What is not as apply leaves it; empty where all is."""
    if view.state != "patched":
        return [f"{view.nova} is not patched ({view.state}): run 'fpga-patch apply'"]
    names = view.files("patched")
    return [*_record(view, storage), *_byte_code(view.nova, names), *_packages(view.nova)]


def _record(view: work.View, storage: store.Store) -> list[str]:
    lost = [
        name
        for name in view.files("patched")
        if name in view.record.files
        and store.digest(storage.stock / name) != view.record.files[name].stock
    ]
    if not view.record.files:
        return [f"{storage.folder} has no record: the files were patched by other means"]
    return [f"{storage.stock} lacks the shipped {', '.join(lost)}"] if lost else []


def _byte_code(nova: pathlib.Path, names: list[str]) -> list[str]:
    stale = []
    for name in names:
        path = nova / name
        status = path.stat()
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            flags, mtime, size = struct.unpack("<3I", compiled.read_bytes()[4:16])
            if not flags and (mtime, size) != (int(status.st_mtime) & 0xFFFFFFFF, status.st_size):
                stale.append(str(compiled.relative_to(nova)))
    return [f"old byte code: {', '.join(stale)}"] if stale else []


def _packages(nova: pathlib.Path) -> list[str]:
    python = bytecode.interpreter(nova)
    if python is None:
        return []
    result = subprocess.run(
        [python, "-c", "import fpga_hooks.calls"], capture_output=True, text=True, check=False
    )
    if result.returncode == 0:
        return []
    why = (result.stderr.strip().splitlines() or ["it failed"])[-1]
    return [f"{python} cannot import fpga_hooks.calls ({why}): no service of Nova will start"]
