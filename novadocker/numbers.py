# SPDX-License-Identifier: Apache-2.0
"""Records which device numbers each container got when it was started last.

The engine resolves a path to a number when it starts a container, the container keeps the
number whatever becomes of the path, and the engine does not report it.
"""

import json
import os
import pathlib
import typing

from oslo_config import cfg

CONF = cfg.CONF

_FILE = "device-numbers"


def record(uuid: str, numbers: typing.Mapping[str, str]) -> None:
    """Record the numbers that a container is about to get; on disk when it returns.

    :param numbers: "major:minor" by path on the host; none for a container without devices
    """
    path = _path(uuid)
    if not numbers:
        forget(uuid)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w") as file:
        json.dump({"numbers": dict(numbers)}, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def of(uuid: str) -> dict[str, str]:
    """The numbers that the container of an instance got when it was started last, by path.

    Empty where none is on record, as of a container that an earlier release started.
    """
    try:
        content = json.loads(_path(uuid).read_text())
        return {str(path): str(number) for path, number in content["numbers"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def recorded() -> list[str]:
    """The instances with a record."""
    return [path.parent.name for path in pathlib.Path(CONF.instances_path).glob(f"*/{_FILE}")]


def forget(uuid: str) -> None:
    """Remove the record: the container is gone."""
    path = _path(uuid)
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _path(uuid: str) -> pathlib.Path:
    return pathlib.Path(CONF.instances_path, uuid, _FILE)
