# SPDX-License-Identifier: Apache-2.0
"""On which card each image of a server is burnt."""

from pathlib import Path

import pytest

from fpga_hooks import cards, errors, grants

from .conftest import IMAGE, OWNER, REGION, Program, region, status

OTHER = "ee834aa4-f950-40e6-8c23-9dab7f3f0138"
FIRST = {1: grants.Grant(IMAGE, grants.Rule.FLAVOR)}
BOTH = FIRST | {2: grants.Grant(OTHER, grants.Rule.FLAVOR)}


def _burns(program: Program) -> list[str]:
    return [
        call.partition(f"--owner {OWNER}")[2].strip() for call in program.calls if "burn" in call
    ]


def _answers(program: Program, *held: dict, refusal: str = "") -> None:
    """The program has these regions, and refuses what this pattern of a shell matches."""
    told = program.path.parent / "told"
    told.write_text(status(*held))
    program.answers(out=REGION, first=f'case "$*" in status*) cat {told}; exit;; {refusal} esac')


def test_each_image_is_burnt_on_a_card_of_its_own(program: Program) -> None:
    _answers(program)
    cards.burn(BOTH, OWNER, ["a", "b"])
    assert _burns(program) == ["--device a", "--number 2 --device b"]


def test_any_card_will_do_where_placement_chose_none(program: Program) -> None:
    _answers(program)
    cards.burn(FIRST, OWNER, [])
    assert program.calls == [f"burn {IMAGE} --owner {OWNER}"]


def test_what_is_held_already_stays_on_its_card(program: Program) -> None:
    _answers(program, region(number=1, device="b"))
    cards.burn(BOTH, OWNER, ["a", "b"])
    assert _burns(program) == ["", "--number 2 --device a"]


@pytest.mark.parametrize("code", [64, 65])
def test_card_that_does_not_take_an_image_is_left_for_the_next_image(
    program: Program, code: int
) -> None:
    refusal = f'*"{IMAGE}"*"--device a"*) exit {code};;'
    _answers(program, refusal=refusal)
    cards.burn(BOTH, OWNER, ["a", "b"])
    assert _burns(program) == ["--device a", "--device b", "--number 2 --device a"]


def test_failure_that_no_card_cures_is_not_tried_on_another(program: Program) -> None:
    _answers(program, refusal="*device*) exit 66;;")
    with pytest.raises(errors.CliError) as caught:
        cards.burn(FIRST, OWNER, ["a", "b"])
    assert (caught.value.code, _burns(program)) == (66, ["--device a"])


def test_last_card_that_does_not_take_an_image_ends_the_build(program: Program) -> None:
    _answers(program, refusal="*device*) exit 64;;")
    with pytest.raises(errors.CliError) as caught:
        cards.burn(FIRST, OWNER, ["a", "b", "a"])
    assert (caught.value.code, _burns(program)) == (64, ["--device a", "--device b"])


def test_one_place_burns_for_instances() -> None:
    burning = [
        path.name
        for path in Path(cards.__file__).parent.glob("*.py")
        if "cli.burn(" in path.read_text()
    ]
    assert burning == ["cards.py"]
