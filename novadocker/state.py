# SPDX-License-Identifier: Apache-2.0
"""Remembers, across crashes and reboots, which instances certainly have no container yet.

The engine may be down when an instance has to be destroyed. Its FPGA region can be erased all the
same if the engine was never asked to make a container. That is written down when a build begins,
and taken back before the engine is asked. Where nothing is written, a living container may hold the
region's devices, and the delete waits for the engine: a file that is missing proves nothing.
"""

import pathlib

from oslo_config import cfg

from fpga_nova import durable
from novadocker.instance_records import LOCK, remove_if_empty

CONF = cfg.CONF

_MARKER = "no-docker-container"
#: What 0.2 wrote for the instances that have one.
_MARKER_OF_0_2 = "docker-container"


def begin(uuid: str) -> None:
    """Note that a build begins: the engine was not asked for a container of this instance."""
    marker = _path(uuid)
    with LOCK:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()


def forget(uuid: str) -> None:
    """Note that a container may exist from now on; on disk when it returns."""
    folder = _path(uuid).parent
    with LOCK:
        if not folder.is_dir():
            return
        for name in (_MARKER, _MARKER_OF_0_2):
            (folder / name).unlink(missing_ok=True)
        durable.sync_folder(folder)
        remove_if_empty(folder)


def certainly_none(uuid: str) -> bool:
    """Whether it is known that no container of this instance was ever made."""
    return _path(uuid).exists()


def _path(uuid: str) -> pathlib.Path:
    return pathlib.Path(CONF.instances_path, uuid, _MARKER)
