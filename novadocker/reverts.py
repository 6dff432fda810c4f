# SPDX-License-Identifier: Apache-2.0
"""Remembers that the container of an instance is removed for a revert.

If that fails, the instance stays on this host, and its files may be on its source host alone.
"""

from novadocker import errors
from novadocker.instance_records import Records

_RECORDS = Records("revert")


def begin(uuid: str) -> None:
    """Note that the container of an instance is about to be removed for a revert."""
    _RECORDS.write(uuid, {})


def end(uuid: str) -> None:
    """Note that it was removed."""
    _RECORDS.remove(uuid)


def check(uuid: str) -> None:
    """Refuse to make the container of an instance anew whose files may be elsewhere.

    :raises errors.NotMoved: they may
    """
    if uuid in _RECORDS.uuids():
        raise errors.NotMoved(
            "its revert failed, and its files are in the source container of its former host; "
            "a rebuild makes it anew without them"
        )
