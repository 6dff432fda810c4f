# SPDX-License-Identifier: Apache-2.0
"""What a root is made of: layers of packages and files, each upon the one before."""

import collections.abc
import dataclasses
import hashlib
import json


@dataclasses.dataclass(frozen=True)
class File:
    """A file of text that a root gets."""

    text: str
    mode: int = 0o644


@dataclasses.dataclass(frozen=True)
class Layer:
    """An addition to a root.

    :ivar name: of its folder in the cache
    :ivar packages: Debian packages, installed without those that they recommend
    :ivar files: by path; they are there before the packages
    :ivar before: lines of shell, run once the lists of packages are there
    :ivar after: lines of shell, run once the packages are installed
    """

    name: str
    packages: tuple[str, ...] = ()
    files: collections.abc.Mapping[str, File] = dataclasses.field(default_factory=dict)
    before: str = ""
    after: str = ""


#: The first layer of every root: debootstrap's smallest variant.
BASE = Layer("base")


def digests(suite: str, sources: str, layers: collections.abc.Iterable[Layer]) -> list[str]:
    """What each layer, with those below it, is made of; a change in one changes those above.

    :param sources: lines of apt's sources.list
    """
    found: list[str] = []
    below = json.dumps([suite, sources])
    for layer in layers:
        text = json.dumps([below, dataclasses.asdict(layer)], sort_keys=True)
        below = hashlib.sha256(text.encode()).hexdigest()
        found.append(below)
    return found
