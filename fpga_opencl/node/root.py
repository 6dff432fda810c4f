# SPDX-License-Identifier: Apache-2.0
"""The files that a worker sees: OpenCL's, read-only, and a small /tmp of its own, in memory."""

import os
import typing
from pathlib import Path

from fpga_opencl.node import kernel

TEMPORARY = "/tmp"  # noqa: S108 - the worker's own
#: Where servers have the folders for workers' roots; hosts clean /tmp of folders that look unused.
FOLDERS = "/run"
_DEVICES = ("null", "zero", "urandom")
_LOCKED = kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_DEVICES
#: What /usr has, under their old names.
_LINKS = {"lib": "usr/lib", "lib64": "usr/lib64", "bin": "usr/bin"}


def change(files: typing.Iterable[str], size: int, uid: int, folder: str) -> None:
    """Make the root of a worker, in a mount namespace of its own.

    :param files: of the host; those that are not there are left out
    :param size: bytes of /tmp
    :param folder: one that nothing else is mounted on
    :raises OSError: it cannot be made; then nothing must be run
    """
    kernel.mount("none", "/", "", kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("tmpfs", folder, "tmpfs", kernel.NO_SUID | kernel.NO_DEVICES, "size=1m,mode=755")
    for name in files:
        _show(name, folder)
    for name in _DEVICES:
        _bind(f"/dev/{name}", f"{folder}/dev/{name}", kernel.READ_ONLY | kernel.NO_SUID)
    for name, target in _LINKS.items():
        os.symlink(target, f"{folder}/{name}")  # noqa: PTH211
    _make(f"{folder}/proc")
    kernel.mount("proc", f"{folder}/proc", "proc", _LOCKED | kernel.NO_PROGRAMS)
    _make(folder + TEMPORARY)
    options = f"size={size},mode=700,uid={uid},gid={uid},nr_inodes=65536"
    kernel.mount("tmpfs", folder + TEMPORARY, "tmpfs", kernel.NO_SUID | kernel.NO_DEVICES, options)
    kernel.mount("tmpfs", folder, "tmpfs", kernel.REMOUNT | _LOCKED)
    kernel.change_root(folder)


def _show(name: str, folder: str) -> None:
    path = Path(name)
    if path.is_symlink():
        # A path's own links resolve inside, where their target is shown as well.
        target = path.resolve()
        if target != path and target.exists():
            _bind(str(target), folder + str(target), _LOCKED)
        if not (here := Path(folder + name)).exists():
            _make(str(here.parent))
            here.symlink_to(target)
    elif path.exists():
        _bind(name, folder + name, _LOCKED)


def _bind(source: str, target: str, flags: int) -> None:
    if Path(source).is_dir():
        _make(target)
    else:
        _make(str(Path(target).parent))
        Path(target).touch(mode=0o444)
    kernel.mount(source, target, "", kernel.BIND)
    kernel.mount("none", target, "", kernel.REMOUNT | kernel.BIND | flags)


def _make(folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
