# SPDX-License-Identifier: Apache-2.0
"""What runs confined: finds the files of a plain tar archive, and prints where they are."""

import json
import os
import sys

from fpga_nova.container_image import tar
from fpga_nova.container_image.limits import Refused
from fpga_nova.container_image.streams import Part, Stream

_FILE = b"0"


def main(arguments: list[str]) -> int:
    """Read standard input, a regular file.

    :param arguments: how many files it may have
    :returns: exit status; 0 where the report says how it went
    """
    descriptor = sys.stdin.fileno()
    whole = Part(descriptor, 0, os.fstat(descriptor).st_size)
    try:
        found: dict[str, tuple[int, int]] = {}
        for entry in tar.entries(Stream(whole, lambda _: None)):
            if entry.kind != _FILE or entry.unpacked != entry.size:
                raise Refused("it has something that is not a plain file")
            if entry.name in found or len(found) >= int(arguments[0]):
                raise Refused("it has too many files, or two of one name")
            found[entry.name] = (entry.start, entry.size)
        report: dict[str, object] = {"files": found}
    except Refused as e:
        report = {"refused": str(e)}
    json.dump(report, sys.stdout)
    return 0
