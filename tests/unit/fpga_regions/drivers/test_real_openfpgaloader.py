# SPDX-License-Identifier: Apache-2.0
"""The openfpgaloader driver with the real openFPGALoader, and a part behind a virtual cable."""

import pathlib
import shlex
import shutil
import typing

import pytest

from fpga_regions import errors
from fpga_regions.drivers.openfpgaloader import OpenFpgaLoaderDriver
from tests.unit.fpga_regions.drivers.tools import Card, load_conf
from tests.unit.fpga_regions.drivers.xvc import Cable, Part

PROGRAM = shutil.which("openFPGALoader")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="openfpgaloader is not installed")


class Bench:
    """A part, the real program, and the driver between them."""

    def __init__(self, folder: pathlib.Path, cable: Cable) -> None:
        self.folder, self.part = folder, cable.part
        self.program = folder / "openFPGALoader"
        chosen = f"--cable xvc-client --ip 127.0.0.1 --port {cable.port}"
        # The driver has no options for a cable over TCP.
        self.program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(PROGRAM))} "$@" {chosen}\n')
        self.program.chmod(0o755)
        for suffix in ("bin", "bit", "rbf"):
            (folder / f"blank.{suffix}").write_bytes(b"\0" * 500)

    def card(self, file_type: str = "bin", **options: str) -> Card:
        """The card."""
        defaults = {
            "board": "arty",
            "part": "xc7a35t",
            "cable": "ft2232",
            "file_type": file_type,
            "blank": f"{self.folder}/blank.{file_type}",
            "nodes": "char:/dev/null",
        } | options
        text = f"[openfpgaloader]\ncards = a\nexec = {self.program}\n[openfpgaloader:a]\n"
        text += "".join(f"{name} = {value}\n" for name, value in defaults.items())
        return Card(OpenFpgaLoaderDriver("openfpgaloader", load_conf(self.folder, text)))


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> typing.Iterator[Bench]:
    with Cable(Part()) as cable:
        yield Bench(tmp_path, cable)


def test_part_is_programmed_read_back_and_erased(bench: Bench) -> None:
    card = bench.card(idcode="0x0362d093")
    card.program(content=b"\xaa" * 1000)
    assert bench.part.done and bench.part.received >= 8000
    loaded = card.read_back()
    assert loaded is not None and loaded.digest == card.package(content=b"\xaa" * 1000).digest
    card.clear()
    assert 4000 <= bench.part.received < 8000
    assert card.read_back() is None


def test_part_that_does_not_start_is_a_failure_though_the_program_ends_with_zero(
    bench: Bench,
) -> None:
    card = bench.card()
    bench.part.starts = False
    with pytest.raises(errors.ProgrammingFailed, match=r"did not start: .* at line 2"):
        card.program(content=b"\xaa" * 1000)
    assert bench.part.received >= 8000
    with pytest.raises(errors.NotErased, match="did not start"):
        card.clear()


def test_part_that_lost_its_power_is_empty(bench: Bench) -> None:
    card = bench.card()
    card.program(content=b"\xaa" * 1000)
    bench.part.lose_power()
    assert card.read_back() is None


def test_file_of_another_kind_is_a_failure(bench: Bench) -> None:
    with pytest.raises(errors.ProgrammingFailed, match="Failed to program FPGA"):
        bench.card("bit").program(content=b"rubbish" * 300)
    assert bench.part.received == 0


def test_file_that_would_go_into_flash_is_not_loaded(bench: Bench) -> None:
    with pytest.raises(errors.NotAccessible, match="does not load rbf files into the memory"):
        bench.card("rbf")


def test_cable_that_is_not_there_is_not_accessible(bench: Bench) -> None:
    assert PROGRAM is not None
    bench.program.unlink()
    bench.program.symlink_to(PROGRAM)
    with pytest.raises(errors.NotAccessible, match=r"ended with 1: .*unable to open ftdi"):
        bench.card(channel="0", frequency="6000000", chain="0")


def test_cable_that_is_unplugged_says_nothing(bench: Bench) -> None:
    card = bench.card()
    card.program(content=b"\xaa" * 1000)
    bench.program.write_text("#!/bin/sh\nexec " + shlex.quote(str(PROGRAM)) + ' "$@"\n')
    with pytest.raises(errors.NoAnswer, match="unable to open ftdi"):
        card.read_back()
    with pytest.raises(errors.NotErased, match="unable to open ftdi"):
        card.clear()
