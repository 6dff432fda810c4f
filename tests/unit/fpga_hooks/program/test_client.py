# SPDX-License-Identifier: Apache-2.0
"""Running fpga-cli and reading its answers."""

import pytest

from fpga_hooks.program import client, errors
from fpga_nova import contract
from tests.unit.fpga_hooks.conftest import IMAGE, OWNER, REGION, Program, region, status


def test_burn_names_image_and_owner_and_returns_the_region(program: Program) -> None:
    program.answers(out=REGION)
    assert client.burn(IMAGE, OWNER) == REGION
    assert program.calls == [f"burn {IMAGE} --owner {OWNER}"]


def test_erase_names_only_the_owner(program: Program) -> None:
    client.erase(OWNER)
    assert program.calls == [f"erase --owner {OWNER}"]


def test_success_is_judged_by_the_exit_status_not_by_an_empty_standard_error(
    program: Program,
) -> None:
    program.answers(out=REGION, err="warning: the card is warm")
    assert client.burn(IMAGE, OWNER) == REGION
    program.answers(out=REGION, code=68)
    with pytest.raises(errors.CliError) as caught:
        client.burn(IMAGE, OWNER)
    assert caught.value.code == 68


def test_the_reason_is_the_error_line_of_the_program(program: Program) -> None:
    line = "Error: cannot program `x' - no free region"
    program.answers(err=f"warning: something\n{line}", code=65)
    with pytest.raises(errors.CliError, match="cannot program `x' - no free region") as caught:
        client.burn(IMAGE, OWNER)
    assert caught.value.code == contract.Exit.NO_FREE_REGION


@pytest.mark.parametrize("answer", ["", "two words", "x" * 256])
def test_a_burn_that_prints_no_region_id_is_a_failure(program: Program, answer: str) -> None:
    program.answers(out=answer)
    with pytest.raises(errors.CliError, match="no region id"):
        client.burn(IMAGE, OWNER)


def test_a_program_that_hangs_is_given_up(program: Program, config) -> None:
    config(timeout=1)
    program.answers(first="exec sleep 20")
    with pytest.raises(errors.CliError, match="did not end within 1 s") as caught:
        client.status()
    assert caught.value.code == contract.Exit.TIMED_OUT


def test_a_missing_program_is_a_misconfiguration(program: Program, config) -> None:
    config(exec="/nonexistent/fpga-cli.py")
    with pytest.raises(errors.CliError, match="cannot be run as root") as caught:
        client.status()
    assert caught.value.misconfigured


def test_nothing_of_the_environment_but_path_and_language_is_passed_on(
    program: Program, monkeypatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD_OF_A_TENANT", "1")
    client.erase(OWNER)
    assert program.environment <= {"PATH", "LANG", "PWD", "SHLVL", "_", "OLDPWD"}


def test_status_finds_the_regions_of_an_owner_by_number(program: Program) -> None:
    free = region(id="other", owner=None, state="free", nodes=[])
    program.answers(out=status(region(id="r3", number=3), region(number=1), free))
    report = client.status()
    assert (report.total, report.used) == (3, 2)
    assert [(n, r.id) for n, r in report.owned_by(OWNER).items()] == [(1, REGION), (3, "r3")]
    assert report.owned_by(IMAGE) == {}


def test_region_of_a_program_without_numbers_is_the_first(program: Program) -> None:
    program.answers(out=status(region()))
    assert list(client.status().owned_by(OWNER)) == [1]


@pytest.mark.parametrize("answer", ["Used regions: 1/2", "{}", '{"total": 1}', "[]"])
def test_a_status_that_is_not_the_json_is_a_failure(program: Program, answer: str) -> None:
    program.answers(out=answer)
    with pytest.raises(errors.CliError, match="something else than its JSON"):
        client.status()


def test_quarantined_regions_and_those_burnt_by_hand_are_not_for_instances(
    program: Program,
) -> None:
    program.answers(
        out=status(
            region(),
            region(id="free", owner=None, state="free"),
            region(id="hand", owner=None),
            region(id="bad", owner=None, state="quarantined"),
            quarantined=1,
        )
    )
    assert client.status().for_instances == 2
