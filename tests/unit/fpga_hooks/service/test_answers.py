# SPDX-License-Identifier: Apache-2.0
"""What comes in from the broker is a stranger's until it is checked."""

import typing

import pytest

from fpga_hooks.rpc import server
from fpga_hooks.service import answers, works
from fpga_nova import programs
from tests.unit.fpga_hooks.conftest import IMAGE, OWNER, REGION

STRANGE: list[typing.Any] = [None, 1, "x", [], {}, OWNER.upper().replace("1", "A"), f"{OWNER}\n"]


@pytest.mark.parametrize("value", STRANGE)
def test_what_is_no_uuid_is_refused(value: typing.Any) -> None:
    with pytest.raises(answers.RefusedError) as caught:
        answers.uuid({"id": value}, "id")
    assert caught.value.code == "invalid"


@pytest.mark.parametrize("value", [0, 7, True, "1", None, 1.0])
def test_what_is_no_number_of_a_region_is_refused(value: typing.Any) -> None:
    with pytest.raises(answers.RefusedError):
        answers.number({"number": value}, "number")


@pytest.mark.parametrize("value", ["", "-x", "a b", "a" * 65, 1, ["a"], "card\n"])
def test_what_is_no_name_of_a_card_is_refused(value: typing.Any) -> None:
    with pytest.raises(answers.RefusedError):
        answers.card({"device": value}, "device")


@pytest.mark.parametrize(
    ("wait", "seconds"), [(0, 0), (2, 2), (1.5, 1.5), (99, 5), (-1, 0), ("x", 0), (True, 0)]
)
def test_nobody_waits_for_longer_than_is_permitted(wait: typing.Any, seconds: float) -> None:
    assert answers.patience(wait) == seconds


def test_user_of_a_call_is_no_administrator() -> None:
    values = {"user_id": "u", "project_id": "p", "is_admin": True, "service_catalog": ["x"]}
    context = answers.context_of(values)
    assert (context.user_id, context.project_id, context.is_admin) == ("u", "p", False)
    with pytest.raises(answers.RefusedError):
        answers.context_of({"user_id": ["u"]})


def test_every_method_refuses_what_is_malformed_and_raises_nothing() -> None:
    endpoint = server.Endpoint()
    calls: list[dict[str, typing.Any]] = [
        endpoint.program({}, typing.cast(typing.Any, None)),
        endpoint.program_status({}, "x", "y"),
        endpoint.hold({}, typing.cast(typing.Any, "x")),
        endpoint.claim_status({}, "x"),
        endpoint.release({}, typing.cast(typing.Any, None)),
    ]
    assert [answer["refusal"]["code"] for answer in calls] == ["invalid"] * 5
    assert calls[-1]["released"] is False


def test_record_of_a_program_is_read_as_it_was_written() -> None:
    program = programs.Program(OWNER, 2, REGION, IMAGE, IMAGE, "failed", True, True, 72, "why" * 99)
    record = program.metadata()
    assert all(len(value) <= 255 for value in record.values())
    back = programs.read(record)
    assert back is not None
    assert back.document(OWNER) == program.document(OWNER) | {"fault": ("why" * 99)[:255]}
    long = programs.Program(OWNER, 1, "r" * 255, IMAGE, None).metadata()
    assert len(long["fpga_program"]) <= 255
    assert programs.read(long) is not None


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '["x",1,"r","b",null]'])
def test_record_that_cannot_be_read_is_none(text: str) -> None:
    assert programs.read({"fpga_program": text}) is None


def test_works_end_and_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(works, "_MOST", 2)
    these = works.Works("work")
    for name in "abc":
        these.begin(name, lambda name=name: name)
        these.wait(name, 20)
    assert [these.result(name) for name in "abc"] == [None, "b", "c"]
    these.begin("d", lambda: 1 / 0)
    these.wait("d", 20)
    assert (these.goes_on("d"), these.result("d")) == (False, None)
