# SPDX-License-Identifier: Apache-2.0
"""Records which ports were plugged for each instance, so that each can be unplugged.

Nova's own list may have lost a port by then: its owner deleted it, or nova-compute was killed. A
port is on record before anything of it is made, and until all of it is gone.
"""

import json
import os
import pathlib
import typing

from nova.network import model
from oslo_config import cfg

CONF = cfg.CONF

_FILE = "network-interfaces"


def of(uuid: str) -> dict[str, model.VIF]:
    """The ports that may be plugged for an instance, by the name of the interface inside.

    Empty where none is on record, or the record cannot be read.
    """
    try:
        content = json.loads(_path(uuid).read_text())
        return {str(name): model.VIF.hydrate(vif) for name, vif in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def add(uuid: str, name: str, vif: model.VIF) -> None:
    """Record that a port is about to be plugged; on disk when it returns."""
    _write(uuid, {**of(uuid), name: vif})


def remove(uuid: str, name: str) -> None:
    """Record that nothing of a port is left."""
    _write(uuid, {known: vif for known, vif in of(uuid).items() if known != name})


def uuids() -> list[str]:
    """The instances with a record."""
    return [path.parent.name for path in pathlib.Path(CONF.instances_path).glob(f"*/{_FILE}")]


def free_name(taken: typing.Collection[str]) -> str:
    """The first name of an interface that is not taken."""
    return next(name for number in range(1000) if (name := f"eth{number}") not in taken)


def _write(uuid: str, vifs: typing.Mapping[str, model.VIF]) -> None:
    path = _path(uuid)
    if not vifs:
        path.unlink(missing_ok=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w") as file:
        json.dump(vifs, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _path(uuid: str) -> pathlib.Path:
    return pathlib.Path(CONF.instances_path, uuid, _FILE)
