# SPDX-License-Identifier: Apache-2.0
"""Remembers that the container of an instance is removed for a revert.

Until its source host has it again, the instance stays on this host in Nova's record, and its files
are on its source host alone. Nova tells that host after the removal, and may fail before.
"""

from novadocker import errors
from novadocker.instance_records import Records

_RECORDS = Records("revert")


def begin(uuid: str) -> None:
    """Note that the container of an instance is about to be removed for a revert."""
    _RECORDS.write(uuid, {})


def end(uuid: str) -> None:
    """Note that the instance is not on this host any more, or has a container here again."""
    _RECORDS.remove(uuid)


def uuids() -> list[str]:
    """The instances with such a note on this host."""
    return _RECORDS.uuids()


def check(uuid: str) -> None:
    """Refuse to make the container of an instance anew whose files may be elsewhere.

    :raises errors.NotMoved: they may
    """
    if uuid in _RECORDS.uuids():
        raise errors.NotMoved(
            "its revert failed, and its files are in the source container of its former host; "
            "a rebuild makes it anew without them"
        )
