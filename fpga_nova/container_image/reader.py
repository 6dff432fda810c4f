# SPDX-License-Identifier: Apache-2.0
"""What runs confined: reads an archive, writes the clean one, prints a report."""

import json
import os
import sys
import typing

from fpga_nova.container_image import archive, choice, writing
from fpga_nova.container_image.configuration import Changes
from fpga_nova.container_image.limits import Budget, Limits, Refused
from fpga_nova.container_image.streams import Part

#: What an archive has besides its layers.
ROOM = 64 << 20


def main(arguments: list[str]) -> int:
    """Read standard input, a regular file.

    :param arguments: one, JSON: what `reading.rewrite` asks for, and the descriptors
    :returns: exit status; 0 where the report says how it went
    """
    question = json.loads(arguments[0])
    try:
        report = _rewrite(question)
    except Refused as e:
        report = {"refused": str(e)}
    except OSError as e:
        report = {"failed": e.strerror or str(e)}
    except MemoryError:
        report = {"failed": "it needs more memory than a reader has"}
    json.dump(report, sys.stdout)
    return 0


def _rewrite(question: dict[str, typing.Any]) -> dict[str, typing.Any]:
    limits = Limits(question["unpacked"], question["files"])
    source = archive.Archive(sys.stdin.fileno(), question["scratch"], limits.unpacked + ROOM)
    image = choice.choose(source, question["architecture"])
    changes, above = _changes(question["changes"]), _above(question)
    with os.fdopen(question["target"], "wb") as target:
        diffs = writing.write(
            image, source, target, question["name"], Budget(limits), changes, above
        )
    return {"layers": diffs}


def _above(question: dict[str, typing.Any]) -> writing.Above | None:
    """The layer that is to be the uppermost one."""
    descriptor = question["above"]
    if descriptor is None:
        return None
    part = Part(descriptor, 0, os.fstat(descriptor).st_size)
    return writing.Above(part, f"sha256:{question['above_digest']}")


def _changes(descriptor: int | None) -> Changes | None:
    """The changes that a file names: they may be longer than an argument."""
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        said = json.load(file)
    return Changes(said["settings"], tuple(said["omitted"]))
