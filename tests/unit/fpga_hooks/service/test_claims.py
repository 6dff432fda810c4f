# SPDX-License-Identifier: Apache-2.0
"""Regions for claims, with a Placement and an fpga-cli whose answers a test chooses."""

import json
import typing
from types import SimpleNamespace

import pytest
from nova import exception

from fpga_hooks.instance import guests, owner_locks
from fpga_hooks.placement import claims as allocations
from fpga_hooks.program import client, errors
from fpga_hooks.rpc import server as rpc_server
from fpga_hooks.service import claims, notices, works
from fpga_nova import host_status
from tests.unit.fpga_hooks.conftest import IMAGE, OWNER, REGION, region

SERVER = "7d1b2e8c-6d43-4b0f-9a3b-55e0c2a9f001"


class Host:
    """What the ledger and Placement have.

    :ivar region: that of the claim
    :ivar failures: what calls of fpga-cli fail with, by verb
    """

    def __init__(self) -> None:
        self.region: dict[str, typing.Any] | None = None
        self.allocated: bool | Exception = True
        self.failures: dict[str, errors.CliError] = {}
        self.calls: list[typing.Any] = []
        self.notes: list[str] = []

    def _call(self, verb: str, *arguments: typing.Any) -> str:
        self.calls.append((verb, *arguments))
        if verb in self.failures:
            raise self.failures[verb]
        return REGION

    def hold(self, *arguments: typing.Any) -> str:
        self.region = region(state="claimed", nodes=None, board="b", device="card0")
        return self._call("hold", *arguments)

    def burn(self, image_id: str, owner: str, device: str | None = None) -> str:
        self.region = region(image_id=image_id, function="f")
        return self._call("burn", image_id, owner, device)

    def erase(self, owner: str) -> None:
        self._call("erase", owner)
        self.region = None

    def status(self) -> host_status.Status:
        self._call("status")
        self.calls.pop()
        found = () if self.region is None else (host_status._read_region(self.region),)
        return host_status.Status(1, 1, 0, found)

    def has_region_here(self, _claim: str) -> bool:
        if isinstance(self.allocated, Exception):
            raise self.allocated
        return self.allocated


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    for name in ("hold", "burn", "erase", "status"):
        monkeypatch.setattr(client, name, getattr(host, name))
    monkeypatch.setattr(allocations, "has_region_here", host.has_region_here)
    monkeypatch.setattr(claims, "running", works.Works("claim"))

    def get_by_uuid(_context: typing.Any, uuid: str, **_more: typing.Any) -> object:
        if uuid != SERVER:
            raise exception.InstanceNotFound(instance_id=uuid)
        return object()

    instances = SimpleNamespace(get_by_uuid=get_by_uuid)
    monkeypatch.setattr(claims, "objects", SimpleNamespace(Instance=instances))
    monkeypatch.setattr(notices, "notify", lambda event, *_more, **_kw: host.notes.append(event))
    return host


def ask(**changes: typing.Any) -> dict[str, typing.Any]:
    """Ask the host and wait for the end of the work."""
    order = {"id": OWNER, "device": None, "board": None, "bitstream": None} | changes
    answer = rpc_server.Endpoint().hold({}, order, 5)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def release(claim: str = OWNER) -> dict[str, typing.Any]:
    return rpc_server.Endpoint().release({}, claim)


def test_claim_gets_a_region(host: Host) -> None:
    claim = ask(device="card0", board="b")["claim"]
    assert (claim["state"], claim["region"], claim["device"]) == ("active", REGION, "card0")
    assert (claim["nodes"], claim["code"], claim["fault"]) == (None, None, None)
    assert host.calls == [("hold", OWNER, "card0", "b")]
    assert host.notes == ["fpga.claim.start", "fpga.claim.end"]


def test_claim_gets_a_bitstream_and_its_nodes(host: Host) -> None:
    claim = ask(bitstream=IMAGE, device="card0")["claim"]
    assert host.calls == [("burn", IMAGE, OWNER, "card0")]
    assert (claim["bitstream"], claim["function"]) == (IMAGE, "f")
    assert [node["name"] for node in claim["nodes"]] == ["/dev/fpga0"]


@pytest.mark.parametrize("code", [64, 65, 68, 70, None])
def test_claim_that_gets_none_holds_nothing(host: Host, code: int | None) -> None:
    host.failures["hold"] = errors.CliError(code, "why")
    claim = ask()["claim"]
    assert (claim["state"], claim["code"], claim["fault"]) == ("failed", code, "why")
    assert (claim["region"], host.region) == (None, None)
    assert host.notes[-1] == "fpga.claim.error"
    del host.failures["hold"]
    assert ask()["claim"]["state"] == "active"


@pytest.mark.parametrize(
    ("allocated", "code"),
    [(False, "allocation"), (allocations.UnansweredError("silent"), "unanswered")],
)
def test_nothing_is_held_without_an_allocation(host: Host, allocated: bool, code: str) -> None:
    host.allocated = allocated
    assert ask()["refusal"]["code"] == code
    assert (host.calls, host.notes) == ([], [])


def test_server_is_no_claim(host: Host) -> None:
    assert ask(id=SERVER)["refusal"]["code"] == "not_a_claim"
    assert release(SERVER)["refusal"]["code"] == "not_a_claim"
    assert host.calls == []


def test_claim_that_is_worked_on_is_refused(host: Host) -> None:
    with owner_locks.held(OWNER):
        assert ask()["refusal"]["code"] == "task"
        assert release()["refusal"]["code"] == "task"
    assert host.calls == []


def test_release_erases_and_may_be_repeated(host: Host) -> None:
    ask()
    for _ in range(2):
        assert release() == {"refusal": None, "released": True}
    assert host.calls[1:] == [("erase", OWNER)] * 2
    status = rpc_server.Endpoint().claim_status({}, OWNER)
    assert status["claim"]["state"] == "none"


@pytest.mark.parametrize(("code", "refusal"), [(31, "not_erased"), (71, "unanswered")])
def test_release_that_does_not_erase_is_refused(host: Host, code: int, refusal: str) -> None:
    ask()
    host.failures["erase"] = errors.CliError(code, "why")
    answer = release()
    assert (answer["refusal"]["code"], answer["released"]) == (refusal, False)


def test_region_that_a_guest_has_is_not_released(host: Host, machine: guests.Machine) -> None:
    ask(bitstream=IMAGE)
    guest = guests.Guest("g", None, True, frozenset({"/run/r0/fpga0"}))
    answers: list[typing.Any] = [[guest], RuntimeError("engine")]

    def list_guests() -> list[guests.Guest]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return typing.cast(list[guests.Guest], answer)

    machine.register(typing.cast(typing.Any, SimpleNamespace(guests=list_guests)))
    codes = [release()["refusal"]["code"] for _ in range(2)]
    assert codes == ["guest", "unanswered"]
    assert ("erase", OWNER) not in host.calls


def test_quarantine_is_a_failure(host: Host) -> None:
    ask()
    host.region = region(state="quarantined", quarantine="erase")
    claim = rpc_server.Endpoint().claim_status({}, OWNER)["claim"]
    assert (claim["state"], claim["code"], claim["region"]) == ("failed", 31, REGION)


def test_ledger_that_is_silent_is_no_answer(host: Host) -> None:
    host.failures["status"] = errors.CliError(71, "why")
    answer = rpc_server.Endpoint().claim_status({}, OWNER)
    assert (answer["refusal"]["code"], answer["claim"]) == ("unanswered", None)
