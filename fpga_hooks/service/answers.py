# SPDX-License-Identifier: Apache-2.0
"""What the endpoint answers, and what it takes: dictionaries, so that a refusal is no exception.

What comes in is another process's, and is checked as a stranger's.
"""

import re
import typing

from nova import context as nova_context

from fpga_nova.contract import REGION_NUMBERS
from fpga_nova.request import UUID

_CARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_WAIT = 5.0  # seconds

Fields = typing.Mapping[str, typing.Any]


class RefusedError(Exception):
    """Nothing was done.

    :ivar code: a word that never changes
    """

    INVALID = "invalid"
    NOT_HERE = "not_here"
    TASK = "task"
    STATE = "state"
    PROGRAM = "program"
    REGION = "region"
    NOT_A_CLAIM = "not_a_claim"
    ALLOCATION = "allocation"
    GUEST = "guest"
    NOT_ERASED = "not_erased"
    UNANSWERED = "unanswered"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def document(self) -> dict[str, str]:
        """The refusal as fpga-api gets it."""
        return {"code": self.code, "message": str(self)}


def uuid(fields: Fields, name: str) -> str:
    """A uuid that must be there.

    :raises RefusedError: it is not
    """
    value = fields.get(name)
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise RefusedError(RefusedError.INVALID, f"{name} is not a uuid in small letters")
    return value


def card(fields: Fields, name: str) -> str | None:
    """The name of a card or a board, which need not be there.

    :raises RefusedError: it is no name
    """
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _CARD.fullmatch(value):
        raise RefusedError(RefusedError.INVALID, f"{name} is not a name")
    return value


def number(fields: Fields, name: str) -> int:
    """The number of a region.

    :raises RefusedError: it is not
    """
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value not in REGION_NUMBERS:
        raise RefusedError(RefusedError.INVALID, f"{name} is not the number of a region")
    return value


def word(fields: Fields, name: str, words: typing.Collection[str]) -> str:
    """One of some words.

    :raises RefusedError: it is not
    """
    value = fields.get(name)
    if not isinstance(value, str) or value not in words:
        raise RefusedError(RefusedError.INVALID, f"{name} is not one of {', '.join(words)}")
    return value


def mapping(value: typing.Any, name: str) -> Fields:
    """An object with members.

    :raises RefusedError: it is not
    """
    if not isinstance(value, dict):
        raise RefusedError(RefusedError.INVALID, f"{name} is not an object")
    return value


def patience(wait: typing.Any) -> float:
    """For how long to wait for the end of a work, in seconds."""
    if isinstance(wait, bool) or not isinstance(wait, int | float):
        return 0.0
    return min(max(float(wait), 0.0), _LONGEST_WAIT)


def context_of(values: typing.Any) -> nova_context.RequestContext:
    """The user on whose behalf a call is, without any privilege of an administrator.

    :raises RefusedError: it is none
    """
    fields = mapping(values, "context")
    names = ("user_id", "project_id", "request_id", "auth_token")
    known = {name: fields.get(name) for name in names}
    if not all(value is None or isinstance(value, str) for value in known.values()):
        raise RefusedError(RefusedError.INVALID, "the context has something else than text")
    catalog = fields.get("service_catalog")
    return nova_context.RequestContext(
        **known,
        is_admin=False,
        service_catalog=[one for one in catalog if isinstance(one, dict)]
        if isinstance(catalog, list)
        else None,
    )
