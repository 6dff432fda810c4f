# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the description of a cloud, and where in its file."""

import collections.abc
import dataclasses
import difflib


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """One fault.

    :param line: from 1 on
    :param column: from 1 on
    :param message: one line for people
    """

    line: int
    column: int
    message: str


class DeploymentError(Exception):
    """A cloud cannot be described, made, looked at or removed; the message is for people."""


class InvalidFileError(DeploymentError):
    """A file does not describe a cloud.

    :param name: the file's
    :param problems: all that is wrong, at least one
    """

    def __init__(self, name: str, problems: collections.abc.Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__(
            "\n".join(f"{name}:{one.line}:{one.column}: {one.message}" for one in self.problems)
        )


def text_of(value: object) -> str:
    """A value as a message has it: on one line, in ASCII, not longer than a line."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def hint(word: str, known: collections.abc.Iterable[str]) -> str:
    """The known word that resembles this one most; without one, all of them."""
    words = sorted(known)
    nearest = difflib.get_close_matches(word, words, 1)
    return f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(words)}"
