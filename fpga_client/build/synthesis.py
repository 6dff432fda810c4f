# SPDX-License-Identifier: Apache-2.0
"""Makes a bitstream of Verilog, with the free tools for Lattice iCE40: yosys, nextpnr, icepack."""

import importlib.resources
import pathlib
import shutil
import subprocess
import tempfile
import typing

#: The parts for which there are tools, each with its package.
PARTS = {"hx1k": "tq144", "hx8k": "ct256"}

#: Seconds that one tool has.
TIMEOUT = 600

#: The tools in their order, and the packages of Debian that have them.
_TOOLS = {"yosys": "yosys", "nextpnr-ice40": "nextpnr-ice40", "icepack": "fpga-icestorm"}

#: Characters of a tool's last words in a message.
_WORDS = 2000


class BuildError(Exception):
    """There is no bitstream; the message says why."""


def build(
    sources: typing.Sequence[pathlib.Path],
    top: str,
    part: str,
    pins: pathlib.Path | None = None,
) -> bytes:
    """The bitstream of a core.

    :param sources: files of Verilog
    :param top: name of the module with the pins
    :param part: of the region
    :param pins: constraints for nextpnr; None for those of the emulator's shell
    :raises BuildError: a tool is missing, failed, or took too long
    """
    if part not in PARTS:
        known = ", ".join(sorted(PARTS))
        raise BuildError(f"there are tools for {known}, and not for {part}: give a bitfile")
    missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise BuildError(
            f"the tools are not installed: on Debian, apt-get install {' '.join(missing)}"
        )
    if not top.isidentifier():
        raise BuildError(f"{top!r} is not the name of a module")
    with tempfile.TemporaryDirectory() as folder:
        return _build(pathlib.Path(folder), [one.absolute() for one in sources], top, part, pins)


def _build(
    folder: pathlib.Path,
    sources: list[pathlib.Path],
    top: str,
    part: str,
    pins: pathlib.Path | None,
) -> bytes:
    place = folder / "pins.pcf"
    try:
        place.write_bytes(_pins(part) if pins is None else pins.read_bytes())
    except OSError as e:
        raise BuildError(f"{pins} cannot be read: {e.strerror}") from e
    package = ["--package", PARTS[part], "--pcf", place.name, "--freq", "12", "--seed", "1"]
    files = ["--json", "core.json", "--asc", "core.asc"]
    for command in (
        ["yosys", "-q", "-p", f"synth_ice40 -top {top} -json core.json", *map(str, sources)],
        ["nextpnr-ice40", "-q", f"--{part}", *package, *files],
        ["icepack", "core.asc", "core.bin"],
    ):
        _run(command, folder)
    return (folder / "core.bin").read_bytes()


def _pins(part: str) -> bytes:
    return importlib.resources.files(__package__).joinpath(f"shells/{part}.pcf").read_bytes()


def _run(command: list[str], folder: pathlib.Path) -> None:
    try:
        result = subprocess.run(  # noqa: S603
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired as e:
        raise BuildError(f"{command[0]} took longer than {TIMEOUT} seconds") from e
    if result.returncode != 0:
        words = (result.stderr or result.stdout)[-_WORDS:].strip()
        raise BuildError(f"{command[0]} failed: {words}")
