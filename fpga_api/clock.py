# SPDX-License-Identifier: Apache-2.0
"""Times as the service writes them: RFC 3339 in UTC."""

import datetime


def now() -> datetime.datetime:
    """The time, with its zone."""
    return datetime.datetime.now(datetime.UTC)


def text(at: datetime.datetime) -> str:
    """A time as the API writes it, to the millisecond.

    :param at: with a zone
    """
    return at.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(value: str) -> datetime.datetime:
    """A time that `text` wrote.

    :raises ValueError: it is no time, or has no zone
    """
    at = datetime.datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{value} has no zone")
    return at
