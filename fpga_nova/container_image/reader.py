# SPDX-License-Identifier: Apache-2.0
"""What runs confined: reads an archive, writes the clean one, prints a report."""

import json
import os
import sys
import typing

from fpga_nova.container_image import archive, choice, writing
from fpga_nova.container_image.limits import Budget, Limits, Refused

#: What an archive has besides its layers.
ROOM = 64 << 20


def main(arguments: list[str]) -> int:
    """Read standard input, a regular file.

    :param arguments: one, JSON: what `reading.rewrite` asks for, and the descriptors
    :returns: exit status; 0 where the report says how it went
    """
    asked = json.loads(arguments[0])
    try:
        report = _rewrite(asked)
    except Refused as e:
        report = {"refused": str(e)}
    except OSError as e:
        report = {"failed": e.strerror or str(e)}
    except MemoryError:
        report = {"failed": "it needs more memory than a reader has"}
    json.dump(report, sys.stdout)
    return 0


def _rewrite(asked: dict[str, typing.Any]) -> dict[str, typing.Any]:
    limits = Limits(asked["unpacked"], asked["files"])
    source = archive.Archive(sys.stdin.fileno(), asked["scratch"], limits.unpacked + ROOM)
    image = choice.choose(source, asked["architecture"])
    with os.fdopen(asked["target"], "wb") as target:
        writing.write(image, source, target, asked["name"], Budget(limits))
    return {"layers": image.diffs}
