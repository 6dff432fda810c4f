#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a bitstream package for the emulator, such as the demo's two.

    build_package.py --output lzo_compression.zip
        a function written in software
    build_package.py --part hx8k --bitstream packbits-hx8k.bin --core packbits --name packbits \
        --output packbits.zip
        a real bitstream for an iCE40
"""

import argparse
import json
import pathlib
import sys
import tempfile

from fpga_regions.command import main as command
from fpga_regions.drivers import emulator
from fpga_regions.emulator import SOFTWARE, software


def main(arguments: list[str] | None = None) -> int:
    """Have `fpga-cli.py image build` make the package; the bitfile's digest is printed.

    :returns: exit status
    """
    options = _options(arguments)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        values = {
            "bitfile": options.bitstream or _software(pathlib.Path(folder), options.core),
            "output": options.output,
            "name": options.name,
            "version": options.version,
            "vendor": options.vendor,
            "type": options.type,
            "function": options.core,
            "board": emulator.BOARD,
            "part": options.part,
        }
        nodes = [f"--node=socket:{name}" for name in options.node or ["/dev/fpga0"]]
        words = [f"--{name}={value}" for name, value in values.items()]
        return command.main(["image", "build", *words, *nodes])


def _software(folder: pathlib.Path, core: str) -> pathlib.Path:
    """The bitfile that stands for a function written in software."""
    bitfile = folder / f"{core}.json"
    bitfile.write_text(json.dumps({"part": SOFTWARE, "core": core}) + "\n")
    return bitfile


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", default="lzo_compression")
    parser.add_argument(
        "--core",
        default="lzo1x_compress",
        metavar="FUNCTION",
        help=f"{', '.join(sorted(software.CORES))}, or the name of what a bitstream does",
    )
    parser.add_argument("--version", default="1.0")
    parser.add_argument("--vendor", default="fpga-nova")
    parser.add_argument("--type", default="compression", help="what sort of accelerator it is")
    parser.add_argument("--part", default=SOFTWARE, help="one of [emulator] parts")
    parser.add_argument("--bitstream", type=pathlib.Path, metavar="FILE", help="what icepack wrote")
    parser.add_argument(
        "--node",
        action="append",
        metavar="PATH",
        help="a node as the container sees it; may be given again (default: /dev/fpga0)",
    )
    parser.add_argument(
        "--output", type=pathlib.Path, default=pathlib.Path("lzo_compression.zip"), metavar="FILE"
    )
    options = parser.parse_args(arguments)
    if options.bitstream is None and options.core not in software.CORES:
        parser.error(f"there is no function {options.core} written in software")
    if (options.bitstream is None) != (options.part == SOFTWARE):
        parser.error(f"the part {SOFTWARE} has no --bitstream, and every other part has one")
    return options


if __name__ == "__main__":
    sys.exit(main())
