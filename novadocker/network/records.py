# SPDX-License-Identifier: Apache-2.0
"""Records which ports were plugged for each instance, so that each can be unplugged.

Nova's own list may have lost a port by then: its owner deleted it, or nova-compute was killed. A
port is on record before anything of it is made, and until all of it is gone.
"""

import threading
import typing

from nova.network import model

from novadocker.instance_records import Records

_RECORDS = Records("network-interfaces")
#: Held while a record is read and written.
_LOCK = threading.Lock()


def of(uuid: str) -> dict[str, model.VIF]:
    """The ports that may be plugged for an instance, by the name of the interface inside.

    Empty where none is on record, or the record cannot be read.
    """
    try:
        vifs = _RECORDS.read(uuid)
        return {str(name): model.VIF.hydrate(vif) for name, vif in vifs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def add(uuid: str, name: str, vif: model.VIF) -> bool:
    """Record that a port is about to be plugged; on disk when it returns.

    It is no longer on record for another instance, whose unplug would take it from this one.

    :returns: whether it was on record already
    """
    with _LOCK:
        before = [
            (owner, known)
            for owner in uuids()
            for known, recorded in of(owner).items()
            if recorded["id"] == vif["id"]
        ]
        _RECORDS.write(uuid, {**of(uuid), name: vif})
        for owner, known in before:
            if owner != uuid:
                _remove(owner, known)
    return bool(before)


def remove(uuid: str, name: str) -> None:
    """Record that nothing of a port is left."""
    with _LOCK:
        _remove(uuid, name)


def _remove(uuid: str, name: str) -> None:
    vifs = {known: vif for known, vif in of(uuid).items() if known != name}
    if vifs:
        _RECORDS.write(uuid, vifs)
    else:
        _RECORDS.remove(uuid)


def uuids() -> list[str]:
    """The instances with a record."""
    return _RECORDS.uuids()


def free_name(taken: typing.Collection[str]) -> str:
    """The first name of an interface that is not taken."""
    return next(name for number in range(1000) if (name := f"eth{number}") not in taken)
