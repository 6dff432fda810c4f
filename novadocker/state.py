# SPDX-License-Identifier: Apache-2.0
"""Remembers, across crashes and reboots, for which instances a container may exist.

The engine may be down when an instance has to be destroyed. If it was never asked to make a
container there is none, and the instance's FPGA region can be erased; otherwise a living container
may still hold the region's devices, and the delete has to wait for the engine.
"""

import os
import pathlib

from oslo_config import cfg

CONF = cfg.CONF

_MARKER = "docker-container"


def remember(uuid: str) -> None:
    """Note that from now on a container of this instance may exist; on disk when it returns."""
    marker = _path(uuid)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    for folder in (marker.parent, marker.parent.parent):
        _sync(folder)


def forget(uuid: str) -> None:
    """Note that no container of this instance exists any more."""
    marker = _path(uuid)
    marker.unlink(missing_ok=True)
    if marker.parent.is_dir() and not any(marker.parent.iterdir()):
        marker.parent.rmdir()


def may_exist(uuid: str) -> bool:
    """Whether a container of this instance may exist."""
    return _path(uuid).exists()


def _path(uuid: str) -> pathlib.Path:
    return pathlib.Path(CONF.instances_path, uuid, _MARKER)


def _sync(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
