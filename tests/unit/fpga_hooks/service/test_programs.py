# SPDX-License-Identifier: Apache-2.0
"""Programs of running servers, with a Nova and an fpga-cli whose answers a test chooses."""

import json
import time
import typing
from types import SimpleNamespace

import pytest
from nova import exception

from fpga_hooks.instance import owner_locks
from fpga_hooks.program import client, errors, last_look
from fpga_hooks.rpc import server as rpc_server
from fpga_hooks.service import notices, programs, works
from fpga_nova import bitstream_images, host_status
from fpga_nova import programs as records
from fpga_nova.bitstream_images import Bitstream
from tests.unit.fpga_hooks.conftest import IMAGE, OWNER, REGION, Instance, an_instance, region

NEW = "0b6b5df5-30b5-4b8c-9f0e-b29f7c7e0c11"
ID = "7d1b2e8c-6d43-4b0f-9a3b-55e0c2a9f001"
USER = {"user_id": "u", "project_id": "mine", "request_id": "req-1", "auth_token": "t"}


class Server(Instance):
    """A server whose save checks its task, as Nova's database does."""

    def save(self, expected_task_state=None) -> None:  # type: ignore[no-untyped-def]
        if expected_task_state is not None and World.task not in expected_task_state:
            raise exception.UnexpectedTaskStateError(
                instance_uuid=OWNER, expected=expected_task_state, actual=World.task
            )
        World.task = self.task_state
        World.metadata = dict(self.system_metadata)


class World:
    """The one server, its region, and what is done with them.

    :cvar task: the server's task in the database
    :cvar replaced: what `client.replace` was given
    :cvar answer: what it gives, or raises
    """

    task: typing.ClassVar[str | None] = None
    metadata: typing.ClassVar[dict[str, str]] = {}
    vm_state: typing.ClassVar[str] = "active"
    host: typing.ClassVar[str] = "node"
    replaced: typing.ClassVar[list[tuple[typing.Any, ...]]] = []
    answer: typing.ClassVar[typing.Any] = None
    notes: typing.ClassVar[list[str]] = []
    during: typing.ClassVar[typing.Callable[[], object] | None] = None

    @classmethod
    def instance(cls, _context: typing.Any, uuid: str, **_more: typing.Any) -> Server:
        if uuid != OWNER:
            raise exception.InstanceNotFound(instance_id=uuid)
        plain = an_instance({"hw:fpga_ip_id": IMAGE}, REGION)
        fields = {name: getattr(plain, name) for name in ("uuid", "flavor", "fpga_device")}
        state = {"vm_state": cls.vm_state, "task_state": cls.task, "host": cls.host}
        return Server(system_metadata=dict(cls.metadata), **fields, **state)

    @classmethod
    def replace(cls, *arguments: typing.Any) -> client.Replaced:
        cls.replaced.append(arguments)
        if cls.during is not None:
            cls.during()
        if isinstance(cls.answer, Exception):
            raise cls.answer
        return cls.answer  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch, config: typing.Callable[..., None]) -> type[World]:
    World.task, World.metadata = None, {"fpga_grant_1": f"flavor {IMAGE}"}
    World.vm_state, World.host = "active", "node"
    World.replaced, World.notes, World.during = [], [], None
    World.answer = client.Replaced(same_nodes=True, failure=None)
    entry = host_status._read_region(region(image_id=IMAGE, healthy=True))
    status = host_status.Status(1, 1, 0, (entry,))
    config(program_bitstreams=["own"])
    monkeypatch.setattr(last_look, "host", lambda: "node")
    monkeypatch.setattr(client, "status", lambda: status)
    monkeypatch.setattr(client, "replace", World.replace)
    instances = SimpleNamespace(get_by_uuid=World.instance)
    monkeypatch.setattr(programs, "objects", SimpleNamespace(Instance=instances))
    monkeypatch.setattr(programs, "running", works.Works("program"))
    for name in ("begin_action", "end_action"):
        monkeypatch.setattr(notices, name, lambda *a, name=name: World.notes.append(name))
    monkeypatch.setattr(notices, "notify", lambda event, *_more, **_kw: World.notes.append(event))
    mine = Bitstream(owner="mine")
    monkeypatch.setattr(bitstream_images, "describe", lambda context, image_id: mine)
    return World


def order(**changes: typing.Any) -> dict[str, typing.Any]:
    """What fpga-api asks for."""
    return {
        "id": ID,
        "server": OWNER,
        "number": 1,
        "bitstream": NEW,
        "reboot": "never",
        "any_bitstream": False,
    } | changes


def ask(**changes: typing.Any) -> dict[str, typing.Any]:
    """Ask the host and wait for the end of the work."""
    answer = rpc_server.Endpoint().program(USER, order(**changes), 5)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def notes(count: int) -> list[str]:
    """What is told of a program; the end of it is told when the answer is out."""
    end = time.monotonic() + 10
    while len(World.notes) < count and time.monotonic() < end:
        time.sleep(0.005)
    return World.notes


def done(**changes: typing.Any) -> dict[str, typing.Any]:
    answer = ask(**changes)
    assert answer["refusal"] is None
    return typing.cast(dict[str, typing.Any], answer["program"])


def test_program_is_done_and_its_grant_on_record(world: type[World]) -> None:
    program = done()
    assert program == {
        "id": ID,
        "server": OWNER,
        "number": 1,
        "region": REGION,
        "bitstream": NEW,
        "previous": IMAGE,
        "state": "done",
        "restored": False,
        "reboot_required": False,
        "code": None,
        "fault": None,
    }
    assert world.replaced == [(REGION, NEW, OWNER, True)]
    assert (world.task, world.metadata["fpga_grant_1"]) == (None, f"program {NEW}")
    begin, end = ["begin_action", "fpga.program.start"], ["end_action", "fpga.program.end"]
    assert notes(4) == begin + end


def test_server_has_a_task_while_it_is_programmed(world: type[World]) -> None:
    tasks: list[typing.Any] = []

    def look() -> None:
        tasks.append(world.task)
        tasks.append(ask(id=NEW)["refusal"]["code"])

    world.during = look
    assert done()["state"] == "done"
    assert tasks == [records.TASK, "program"]


def test_second_program_is_refused_while_one_goes_on(world: type[World]) -> None:
    world.task = records.TASK
    assert ask()["refusal"]["code"] == "program"


def test_asking_again_answers_and_does_nothing(world: type[World]) -> None:
    assert done() == done()
    assert len(world.replaced) == 1
    endpoint = rpc_server.Endpoint()
    assert endpoint.program_status({}, OWNER, NEW) == {"refusal": None, "program": None}


def test_failure_that_was_undone_is_told_and_grants_nothing(world: type[World]) -> None:
    world.answer = client.Replaced(same_nodes=True, failure=errors.CliError(72, "why"))
    program = done()
    assert (program["state"], program["restored"], program["code"]) == ("failed", True, 72)
    assert (program["fault"], world.task) == ("why", None)
    assert world.metadata["fpga_grant_1"] == f"flavor {IMAGE}"
    assert notes(4)[-1] == "fpga.program.error"


@pytest.mark.parametrize("code", [64, 66, 68, 69, 70, 74, None])
def test_failure_is_told_by_its_exit_status(world: type[World], code: int | None) -> None:
    world.answer = errors.CliError(code, "why")
    program = done()
    assert (program["state"], program["restored"], program["code"]) == ("failed", False, code)
    assert world.task is None


def test_delete_that_comes_meanwhile_is_not_disturbed(world: type[World]) -> None:
    def delete() -> None:
        world.task = "deleting"

    world.during = delete
    ask()
    assert world.task == "deleting"
    assert world.metadata["fpga_grant_1"] == f"flavor {IMAGE}"


def test_defect_leaves_the_task_for_the_audit(world: type[World]) -> None:
    world.answer = KeyError("defect")
    assert done()["state"] == "running"
    assert world.task == records.TASK
    assert not programs.running.goes_on(ID)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"task": "rebooting"}, "task"),
        ({"vm_state": "suspended"}, "state"),
        ({"vm_state": "building"}, "state"),
        ({"host": "other"}, "not_here"),
        ({"metadata": {"fpga_grant_2": f"flavor {IMAGE}"}}, "region"),
    ],
)
def test_server_that_cannot_be_programmed_is_refused(
    world: type[World], change: dict[str, typing.Any], code: str
) -> None:
    for name, value in change.items():
        setattr(world, name, value)
    assert ask()["refusal"]["code"] == code
    assert (world.replaced, world.notes) == ([], [])


def test_region_that_the_server_does_not_hold_is_refused(world: type[World]) -> None:
    assert ask(number=2)["refusal"]["code"] == "region"


def test_server_that_is_worked_on_is_refused(world: type[World]) -> None:
    with owner_locks.held(OWNER):
        assert ask()["refusal"]["code"] == "task"
    assert world.task is None


def test_bitstream_is_checked_as_the_user(
    world: type[World], monkeypatch: pytest.MonkeyPatch
) -> None:
    users = []

    def describe(context: typing.Any, image_id: str) -> Bitstream | None:
        users.append((context.project_id, context.auth_token, context.is_admin))
        return {NEW: Bitstream(owner="others")}.get(image_id)

    monkeypatch.setattr(bitstream_images, "describe", describe)
    assert ask()["refusal"]["code"] == "bitstream"
    assert ask(bitstream=IMAGE, any_bitstream=True)["refusal"]["code"] == "no_bitstream"
    assert users == [("mine", "t", False)] * 2
    assert world.replaced == []


def test_silent_glance_or_ledger_is_no_answer(
    world: type[World], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_arguments: typing.Any) -> typing.NoReturn:
        raise errors.CliError(None, "silent")

    with monkeypatch.context() as patch:
        patch.setattr(client, "status", silent)
        assert ask()["refusal"]["code"] == "unanswered"

    def unanswered(*_arguments: typing.Any) -> typing.NoReturn:
        raise bitstream_images.UnansweredError("silent")

    monkeypatch.setattr(bitstream_images, "describe", unanswered)
    assert ask()["refusal"]["code"] == "unanswered"
    assert world.task is None


@pytest.mark.parametrize(
    ("reboot", "same_nodes", "vm_state", "reboots"),
    [
        ("if_needed", False, "active", 1),
        ("if_needed", True, "active", 0),
        ("if_needed", False, "stopped", 0),
        ("never", False, "active", 0),
    ],
)
def test_server_is_rebooted_only_where_it_must_and_may(
    world: type[World],
    monkeypatch: pytest.MonkeyPatch,
    reboot: str,
    same_nodes: bool,
    vm_state: str,
    reboots: int,
) -> None:
    from nova.compute import api

    kinds: list[str] = []
    nova = SimpleNamespace(reboot=lambda context, instance, kind: kinds.append(kind))
    monkeypatch.setattr(api, "API", lambda: nova)
    monkeypatch.setattr(Server, "refresh", lambda self: None)
    world.vm_state = vm_state
    world.answer = client.Replaced(same_nodes=same_nodes, failure=None)
    program = done(reboot=reboot)
    assert world.replaced[0][3] is (reboot == "never")
    assert kinds == ["HARD"] * reboots
    assert program["reboot_required"] is (not same_nodes and not reboots)
