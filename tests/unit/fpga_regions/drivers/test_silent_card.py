# SPDX-License-Identifier: Apache-2.0
"""A card's program answers discovery and nothing else for a while; the real fpga-cli waits."""

import pathlib

import pytest

from tests.unit.fpga_regions.conftest import owner
from tests.unit.fpga_regions.drivers.test_driver_crashes import Scripted


@pytest.fixture
def scripted(tmp_path: pathlib.Path) -> Scripted:
    return Scripted(tmp_path, "erase {id}")


def fall_silent(scripted: Scripted) -> None:
    """Have the program answer each process once, and only how many regions there are."""
    mark = scripted.burnt.parent / "seen"
    once = f"[ ! -e {mark}.$PPID ] || exit 1; touch {mark}.$PPID"
    count = f'echo "Used regions: $(ls {scripted.burnt} | wc -l)/1"'
    scripted.tool.answer("status", then=f"{once}; {count}")
    for verb in ("burn *", "erase *"):
        scripted.tool.answer(verb, errors="busy\n", status=1)


def recover(scripted: Scripted) -> None:
    """Have the program answer again."""
    count = f'echo "Used regions: $(ls {scripted.burnt} | wc -l)/1"'
    scripted.tool.answer("status", then=count)
    scripted.tool.answer("burn *", "core\n", then=f"cp $2 {scripted.burnt}/core")
    scripted.tool.answer("erase *", then=f"rm -f {scripted.burnt}/core")


def test_function_of_a_card_that_does_not_answer_is_not_lost(scripted: Scripted) -> None:
    scripted.host.burn(*scripted.burn[1:])
    fall_silent(scripted)
    scripted.tool.forget()
    (region,) = scripted.host.status()["regions"]
    assert (region["state"], region["healthy"]) == ("programmed", None)
    again = scripted.host.run(*scripted.burn)
    assert (again.returncode, again.stdout) == (127, "")
    assert "does not say what it holds; nothing was changed" in again.stderr
    looked = scripted.host.run("reconcile", "--fix")
    assert looked.returncode != 0
    assert [call for call in scripted.tool.calls() if call != ["status"]] == []
    recover(scripted)
    (region,) = scripted.host.status()["regions"]
    assert (region["state"], region["healthy"]) == ("programmed", True)
    assert region["owner"] == owner()


def test_region_of_a_card_that_does_not_answer_is_erased_once_it_does(scripted: Scripted) -> None:
    region_id = scripted.host.burn(*scripted.burn[1:])
    fall_silent(scripted)
    assert scripted.host.run("erase", region_id, "--owner", owner()).returncode == 31
    recover(scripted)
    assert scripted.host.run("erase", region_id).returncode == 0
    assert scripted.host.states() == ["free"]
    assert list(scripted.burnt.iterdir()) == []
