# SPDX-License-Identifier: Apache-2.0
"""The fake driver: it fails as often as it is told to, and the same way each time."""

import contextlib
import dataclasses
import os
import pathlib
import stat
import typing

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers.fake import FakeDriver
from fpga_regions.model import Loaded
from tests.unit.fpga_regions.drivers.tools import Card, load_conf


def fake(folder: pathlib.Path, *options: str) -> Card:
    return Card(FakeDriver("fake", load_conf(folder, "\n".join(["[fake]", *options]))))


def fates(card: Card, step: typing.Callable[[], object], count: int) -> list[bool]:
    """Which of a number of steps succeed."""

    def succeeds() -> bool:
        try:
            step()
        except errors.RegionError:
            return False
        return True

    return [succeeds() for _ in range(count)]


def test_regions_are_as_configured_and_simulated(tmp_path: pathlib.Path) -> None:
    slots = fake(tmp_path, "cards = 2", "regions = 2", "board = b", "part = p").slots
    assert [(s.device, s.index) for s in slots] == [
        ("fake0", 0),
        ("fake0", 1),
        ("fake1", 0),
        ("fake1", 1),
    ]
    assert {(s.board, s.part, s.simulated) for s in slots} == {("b", "p", True)}


def test_what_is_programmed_is_read_back_until_it_is_cleared(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path)
    card.program()
    package = card.package()
    again = fake(tmp_path)
    loaded = again.read_back()
    assert loaded is not None
    assert (loaded.function, loaded.digest) == (package.manifest.function, package.digest)
    again.clear()
    assert card.read_back() is None


def test_nodes_are_there_and_of_their_kind(tmp_path: pathlib.Path) -> None:
    kinds = ["char", "pipe", "socket"]
    exposes = [{"kind": kind, "name": f"/dev/{kind}"} for kind in kinds]
    nodes = fake(tmp_path).program(exposes=exposes)
    modes = [pathlib.Path(node.path).stat().st_mode for node in nodes]
    assert [stat.S_ISCHR(modes[0]), stat.S_ISFIFO(modes[1]), stat.S_ISSOCK(modes[2])] == [True] * 3


def test_nodes_are_gone_after_the_clear(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path)
    (node,) = card.program(exposes=[{"kind": "socket", "name": "/dev/x"}])
    card.clear()
    assert not pathlib.Path(node.path).exists()


def test_programming_fails_on_purpose_and_leaves_rubbish(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path, "program_failures = 1")
    with pytest.raises(errors.ProgrammingFailed, match="on purpose"):
        card.program()
    loaded = card.read_back()
    assert loaded is not None and loaded.function == "rubbish"


def test_wrong_function_is_read_back_on_purpose(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path, "wrong_read_backs = 1")
    card.program()
    loaded = card.read_back()
    assert loaded is not None and loaded.function == "another"


def test_region_gives_no_answer_on_purpose(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path, "no_answers = 1")
    card.program()
    with pytest.raises(errors.NoAnswer, match="on purpose"):
        card.read_back()
    assert fake(tmp_path).read_back() is not None


def test_look_at_a_region_changes_no_fate_of_a_step(tmp_path: pathlib.Path) -> None:
    def run(name: str, *options: str) -> list[bool]:
        card = fake(tmp_path / name, "program_failures = 0.5", *options)

        def step() -> None:
            with contextlib.suppress(errors.NoAnswer):
                card.read_back()
            card.program()

        return fates(card, step, 30)

    assert run("a") == run("b", "no_answers = 0.5")


def test_file_of_a_region_is_what_it_holds(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path)
    card.program()
    file = card.state_folder() / card.region.id
    file.write_text('{"function": "theirs", "digest": "unknown"}')
    assert card.read_back() == Loaded("theirs", "unknown")
    for damaged in ("", "[]", "{}"):
        file.write_text(damaged)
        with pytest.raises(errors.NoAnswer, match="cannot be read"):
            card.read_back()
    file.unlink()
    assert card.read_back() is None


def test_clearing_fails_on_purpose(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.NotErased, match="on purpose"):
        fake(tmp_path, "clear_failures = 1").clear()


def test_silent_clear_leaves_the_region_as_it_was(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path, "silent_clears = 1")
    card.program()
    card.clear()
    assert card.read_back() is not None


def test_delay_beyond_the_deadline_is_a_time_out(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path, "program_delay = 5", "clear_delay = 5")
    with pytest.raises(errors.TimedOut, match="program_delay"):
        card.program(0.1)
    with pytest.raises(errors.NotErased, match="clear_delay"):
        card.clear(0.1)


def test_share_of_failures_is_about_what_was_asked_for(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path, "program_failures = 0.3")
    assert 0.15 < fates(card, card.program, 100).count(False) / 100 < 0.45


def test_same_seed_fails_the_same_steps(tmp_path: pathlib.Path) -> None:
    def run(name: str, seed: int) -> list[bool]:
        card = fake(tmp_path / name, "program_failures = 0.5", f"seed = {seed}")
        return fates(card, card.program, 30)

    assert run("a", 1) == run("b", 1) != run("c", 2)


def test_state_that_cannot_be_written_is_a_failure(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path)
    (tmp_path / "state" / "drivers").write_text("a file")
    with pytest.raises(errors.ProgrammingFailed, match="cannot be written"):
        card.program()
    with pytest.raises(errors.NotErased, match="cannot be written"):
        card.clear()


@pytest.mark.parametrize("option", ["program_failures = 2", "cards = 0", "program_delay = soon"])
def test_wrong_option_is_reported_by_its_name(tmp_path: pathlib.Path, option: str) -> None:
    with pytest.raises(errors.NotAccessible, match=option.split()[0]):
        fake(tmp_path, option)


def test_reset_makes_the_nodes_anew_and_leaves_what_is_held(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path)
    nodes = card.program(exposes=[{"kind": "pipe", "name": "/dev/fpga0"}])
    held, descriptor = card.read_back(), os.open(nodes[0].path, os.O_PATH)
    region = dataclasses.replace(card.region, nodes=nodes)
    card.driver.reset(region, Deadline(10))
    assert card.read_back() == held
    assert pathlib.Path(nodes[0].path).is_fifo()
    assert not os.path.samestat(os.fstat(descriptor), pathlib.Path(nodes[0].path).stat())
    os.close(descriptor)


def test_reset_fails_on_purpose(tmp_path: pathlib.Path) -> None:
    card = fake(tmp_path, "clear_failures = 1")
    card.program()
    with pytest.raises(errors.NotErased, match="on purpose"):
        card.driver.reset(card.region, Deadline(10))
