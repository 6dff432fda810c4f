# SPDX-License-Identifier: Apache-2.0
"""Which engine a burn gets, what is compiled for the next one, and what is kept."""

import pathlib

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.emulator import engines, models
from tests.unit.fpga_regions.emulator.conftest import Workshop


def suffixes(workshop: Workshop) -> list[str]:
    """The kinds of files in the cache."""
    return sorted(path.suffix for path in (workshop.folder / "models" / "models").iterdir())


def test_first_burn_gets_icarus_and_queues_verilator(workshop: Workshop) -> None:
    assert workshop.get("crc32", "auto").engine.name == "icarus"
    assert len(workshop.models.queue()) == 1
    assert suffixes(workshop) == [".icarus", ".v"]


def test_burn_after_the_compilation_gets_verilator(workshop: Workshop) -> None:
    workshop.get("crc32", "auto")
    (source,) = workshop.models.queue()
    workshop.models.compile(source, Deadline(250))
    assert workshop.models.queue() == []
    assert workshop.get("crc32", "auto").engine.name == "verilator"
    assert workshop.get("crc32", "icarus").engine.name == "icarus"
    assert workshop.models.queue() == []


def test_second_burn_runs_no_tool(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.get("crc32", "icarus")
    monkeypatch.setattr("fpga_regions.emulator.sandbox.Sandbox.make", None)
    assert workshop.get("crc32", "icarus").engine.name == "icarus"


def test_engine_that_is_asked_for_queues_no_other(workshop: Workshop) -> None:
    workshop.get("crc32", "icarus")
    assert workshop.models.queue() == []


def test_compilation_that_fails_is_not_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.get("crc32", "auto")
    (source,) = workshop.models.queue()
    workshop.models.compile(source, Deadline(0))
    assert ".refused" in suffixes(workshop)
    assert workshop.get("crc32", "auto").engine.name == "icarus"
    assert workshop.models.queue() == []


def test_queued_netlist_that_is_not_in_the_cache_any_more_is_dropped(workshop: Workshop) -> None:
    workshop.get("crc32", "auto")
    (source,) = workshop.models.queue()
    for path in (workshop.folder / "models" / "models").iterdir():
        path.unlink()
    workshop.models.compile(source, Deadline(250))
    assert workshop.models.queue() == []


def test_host_without_verilator_gets_icarus_and_queues_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines.Verilator, "tools", ("verilator", "nosuchcompiler"))
    assert workshop.get("crc32", "auto").engine.name == "icarus"
    assert workshop.models.queue() == []


def test_host_without_the_engine_that_is_asked_for_reports_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines.Icarus, "tools", ("nosuchtool",))
    monkeypatch.setattr(models, "_FIRST", engines.Icarus())
    with pytest.raises(errors.ProgrammingFailed, match="icarus needs nosuchtool"):
        workshop.get("crc32", "icarus")


def test_another_version_of_an_engine_makes_its_own_model(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.get("crc32", "icarus")
    monkeypatch.setattr(engines.Icarus, "_version", ("echo", "another version"))
    monkeypatch.setattr(models, "_FIRST", engines.Icarus())
    workshop.get("crc32", "icarus")
    assert suffixes(workshop) == [".icarus", ".icarus", ".v"]


def test_netlist_that_no_engine_takes_is_refused(
    workshop: Workshop, tmp_path: pathlib.Path
) -> None:
    box = workshop.models._box
    for engine in engines.ENGINES.values():
        with pytest.raises(errors.BadPackage, match=f"cannot be simulated: {engine.name} refuses"):
            engine.build(box, b"module shell(\n", Deadline(60))


@pytest.mark.parametrize(
    ("version", "error", "words"),
    [
        (("sleep", "60"), errors.TimedOut, "does not print its version in time"),
        (("false",), errors.ProgrammingFailed, "false does not print its version"),
    ],
)
def test_tool_that_does_not_print_its_version_is_reported(
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[str, ...],
    error: type[errors.RegionError],
    words: str,
) -> None:
    monkeypatch.setattr(engines.Icarus, "_version", version)
    with pytest.raises(error, match=words):
        engines.Icarus().identity(Deadline(0.5))
