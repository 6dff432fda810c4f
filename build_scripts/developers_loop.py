#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The loop of a developer on the demo cloud: Verilog edited, and verified in a server that runs."""

import argparse
import shutil
import sys
import tempfile
import time
import typing
from pathlib import Path

from cloud import Cloud, CloudError
from scenario import Walk

CORE = Path(__file__).parents[1] / "cores" / "crc32.v"
NAME = "dcr1"
#: What catalogues of CRCs take as their input.
DIGITS = "123456789"
#: An edit of the core, and what it answers to the digits before and after: the complement.
EDIT = ("out_data = ~crc", "out_data = crc")
ANSWERS = ("cb f4 39 26", "34 0b c6 d9")


class Loop:
    """The steps of a developer who has a server.

    :param steps: prints them
    :param source: the core
    """

    def __init__(self, steps: Walk, source: Path) -> None:
        self._steps = steps
        self._source = source

    def program(self, server: typing.Any, answer: str) -> float:
        """Program the server with the core as it is; seconds to the first answer."""
        start = time.monotonic()
        command = ("openstack", "fpga", "program", "create", NAME, "--source")
        self._steps.say(f"$ {' '.join(command)} {self._source.name} -f value -c State")
        run = self._steps.cloud.run
        done = run(*command, str(self._source), "-f", "value", "-c", "State")
        self._steps.say(done.stdout.decode().rstrip())
        client = ("docker", "exec", "-i", f"nova-{server.id}", "fpga-client", "/dev/fpga0")
        self._steps.say(f"$ printf {DIGITS} | {' '.join(client)} | od -An -tx1")
        found = run(*client, data=DIGITS.encode()).stdout
        seconds = time.monotonic() - start
        self._steps.say(f" {found.hex(' ')}")
        self._steps.expect("the answer", found.hex(" "), answer)
        self._steps.say(f"  {seconds:.1f} s")
        return seconds

    def edit(self) -> None:
        """Change the core."""
        text = self._source.read_text()
        if EDIT[0] not in text:
            raise CloudError(f"{self._source} has no {EDIT[0]!r}")
        self._steps.say(f"$ sed -i 's/{EDIT[0]}/{EDIT[1]}/' {self._source.name}")
        self._source.write_text(text.replace(*EDIT))


def walk(cloud: Cloud, out: typing.TextIO = sys.stdout) -> dict[str, float]:
    """Go round the loop twice; no server is left.

    :returns: seconds from the source to the first answer
    :raises CloudError: a step did not give what it should
    """
    steps = Walk(cloud, out)
    steps.say("\n== A server with a region, which compresses")
    server = steps.boot(NAME, "fpga-packbits")
    try:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, CORE.name)
            shutil.copy(CORE, source)
            loop = Loop(steps, source)
            steps.say("\n== Its region gets a CRC-32 that is built from Verilog; nothing restarts")
            first = loop.program(server, ANSWERS[0])
            steps.say("\n== The developer edits the Verilog, and asks again")
            loop.edit()
            second = loop.program(server, ANSWERS[1])
    finally:
        steps.cloud.delete(server.id)
    return {"from the source to an answer": first, "from the edited source": second}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo_dir", type=Path)
    arguments = parser.parse_args()
    try:
        figures = walk(Cloud(arguments.demo_dir))
    except CloudError as e:
        sys.exit(f"Error: {e}")
    print("\n== Figures (seconds)")
    for name, seconds in figures.items():
        print(f"  {seconds:6.1f}  {name}")


if __name__ == "__main__":
    main()
