# SPDX-License-Identifier: Apache-2.0
"""Remembers, across crashes and reboots, for which instances a container may exist.

The engine may be down when an instance has to be destroyed. If it was never asked to make a
container there is none, and the instance's FPGA region can be erased; otherwise a living container
may still hold the region's devices, and the delete has to wait for the engine.
"""

import json
import os
import pathlib
import typing

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


def remember_numbers(uuid: str, numbers: typing.Mapping[str, str]) -> None:
    """Note the device numbers that the container gets when it is started next.

    :param numbers: "major:minor" by path on the host
    """
    remember(uuid)
    path = _path(uuid)
    new = path.with_suffix(".new")
    with new.open("w") as file:
        json.dump({"numbers": dict(numbers)}, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def numbers(uuid: str) -> dict[str, str]:
    """The device numbers that the container got when it was started last, by path on the host.

    Empty where none is on record, as of a container that an earlier release started.
    """
    try:
        content = json.loads(_path(uuid).read_text())
        return {str(path): str(number) for path, number in content["numbers"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remembered() -> list[str]:
    """The instances of which a container may exist."""
    return [path.parent.name for path in pathlib.Path(CONF.instances_path).glob(f"*/{_MARKER}")]


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
