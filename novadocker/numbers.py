# SPDX-License-Identifier: Apache-2.0
"""Records which device numbers each container got when it was started last.

The engine resolves a path to a number when it starts a container, the container keeps the
number whatever becomes of the path, and the engine does not report it.
"""

import typing

from novadocker.instance_records import Records

_RECORDS = Records("device-numbers")


def record(uuid: str, numbers: typing.Mapping[str, str]) -> None:
    """Record the numbers that a container is about to get; on disk when it returns.

    :param numbers: "major:minor" by path on the host; none for a container without devices
    """
    if numbers:
        _RECORDS.write(uuid, {"numbers": dict(numbers)})
    else:
        forget(uuid)


def of(uuid: str) -> dict[str, str]:
    """The numbers that the container of an instance got when it was started last, by path.

    Empty where none is on record, as of a container that an earlier release started.
    """
    try:
        content = _RECORDS.read(uuid)
        return {str(path): str(number) for path, number in content["numbers"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def recorded() -> list[str]:
    """The instances with a record."""
    return _RECORDS.uuids()


def forget(uuid: str) -> None:
    """Remove the record: the container is gone."""
    _RECORDS.remove(uuid)
