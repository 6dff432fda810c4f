# SPDX-License-Identifier: Apache-2.0
"""On which card each image of a server is burnt."""

import typing
from pathlib import Path

import pytest
from keystoneauth1 import exceptions as keystone_exceptions
from nova import context as nova_context
from nova import exception

from fpga_hooks.instance import cards, guests
from fpga_hooks.instance.guests import Guest
from fpga_hooks.placement import providers
from fpga_hooks.program import errors
from fpga_nova import grants
from fpga_nova.instance_request import InstanceRequest
from tests.unit.fpga_hooks.conftest import (
    IMAGE,
    OWNER,
    REGION,
    Program,
    an_instance,
    region,
    status,
)

OTHER = "ee834aa4-f950-40e6-8c23-9dab7f3f0138"
FIRST = {"hw:fpga_ip_id": IMAGE}
BOTH = FIRST | {"hw:fpga_ip_id_2": OTHER}


def _burn(extra_specs: dict[str, str], allocation: list[str]) -> dict[int, str]:
    """Burn what a flavor of these extra specs grants, on these cards."""
    request = InstanceRequest.of(an_instance(extra_specs))
    return cards.burn(request.granted(grants.of_flavor(extra_specs)), allocation)


def _burns(program: Program) -> list[str]:
    return [
        call.partition(f"--owner {OWNER}")[2].strip() for call in program.calls if "burn" in call
    ]


def _answers(program: Program, *regions: dict, refusal: str = "") -> None:
    """The program has these regions, and refuses what this pattern of a shell matches."""
    file = program.path.parent / "status"
    file.write_text(status(*regions))
    program.answers(out=REGION, first=f'case "$*" in status*) cat {file}; exit;; {refusal} esac')


def test_each_image_is_burnt_on_a_card_of_its_own(program: Program) -> None:
    _answers(program)
    _burn(BOTH, ["a", "b"])
    assert _burns(program) == ["--device a", "--number 2 --device b"]


def test_any_card_will_do_where_placement_chose_none(program: Program) -> None:
    _answers(program)
    _burn(FIRST, [])
    assert program.calls == [f"burn {IMAGE} --owner {OWNER}"]


def test_what_is_held_already_stays_on_its_card(program: Program) -> None:
    _answers(program, region(number=1, device="b"))
    _burn(BOTH, ["a", "b"])
    assert _burns(program) == ["", "--number 2 --device a"]


@pytest.mark.parametrize("code", [64, 65])
def test_card_that_does_not_take_an_image_is_left_for_the_next_image(
    program: Program, code: int
) -> None:
    refusal = f'*"{IMAGE}"*"--device a"*) exit {code};;'
    _answers(program, refusal=refusal)
    _burn(BOTH, ["a", "b"])
    assert _burns(program) == ["--device a", "--device b", "--number 2 --device a"]


def test_failure_that_no_card_cures_is_not_tried_on_another(program: Program) -> None:
    _answers(program, refusal="*device*) exit 66;;")
    with pytest.raises(errors.CliError) as caught:
        _burn(FIRST, ["a", "b"])
    assert (caught.value.code, _burns(program)) == (66, ["--device a"])


def test_last_card_that_does_not_take_an_image_ends_the_build(program: Program) -> None:
    _answers(program, refusal="*device*) exit 64;;")
    with pytest.raises(errors.CliError) as caught:
        _burn(FIRST, ["a", "b", "a"])
    assert (caught.value.code, _burns(program)) == (64, ["--device a", "--device b"])


class _Engine:
    """A virt driver with these guests."""

    def __init__(self, *guests: Guest, error: Exception | None = None) -> None:
        self._guests, self._error = guests, error

    def guests(self) -> tuple[Guest, ...]:
        if self._error:
            raise self._error
        return self._guests

    def stop(self, guest: Guest) -> None:
        raise AssertionError(f"{guest} is stopped")


@pytest.fixture
def handed_out(program: Program) -> Program:
    """The owner has a region that cannot hold the image, until it is erased."""
    mark = program.path.parent / "mark"
    refusal = f"burn*) test -e {mark} || exit 74;; erase*) touch {mark}; exit 0;;"
    _answers(program, region(number=1), refusal=refusal)
    return program


def test_region_of_a_guest_that_is_gone_is_erased_where_it_cannot_hold_the_image(
    handed_out: Program, machine: guests.Machine
) -> None:
    machine.register(_Engine())
    assert _burn(FIRST, []) == {1: REGION}
    assert f"erase {REGION} --owner {OWNER}" in handed_out.calls


@pytest.mark.parametrize(
    "engine",
    [
        _Engine(Guest("g", OWNER, False, frozenset())),
        _Engine(Guest("g", None, True, frozenset({"/run/r0/fpga0"}))),
        _Engine(error=OSError("the engine is down")),
    ],
)
def test_region_that_a_guest_may_have_is_not_erased_though_it_cannot_hold_the_image(
    handed_out: Program, machine: guests.Machine, engine: _Engine
) -> None:
    machine.register(engine)
    with pytest.raises(errors.CliError) as refused:
        _burn(FIRST, [])
    assert refused.value.code == 74
    assert not any(call.startswith("erase") for call in handed_out.calls)


def test_one_place_burns_for_instances_and_one_for_claims() -> None:
    burning = {
        path.name
        for path in Path(cards.__file__).parents[1].rglob("*.py")
        if "client.burn(" in path.read_text()
    }
    assert burning == {"cards.py", "claims.py"}


def test_placement_that_is_out_of_reach_is_a_failure_that_nova_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Client:
        def get_allocs_for_consumer(self, *_arguments: object) -> typing.NoReturn:
            raise keystone_exceptions.ConnectFailure("connection refused")

    monkeypatch.setattr(providers.Providers, "by_card", True)
    monkeypatch.setattr(cards.report, "report_client_singleton", Client)
    with pytest.raises(exception.ConsumerAllocationRetrievalFailed, match="connection refused"):
        cards.of_allocation(nova_context.get_admin_context(), OWNER)
