# SPDX-License-Identifier: Apache-2.0
"""Programs by the API and the engine, with hosts in memory."""

import datetime
import time
import typing
import uuid

import pytest

from fpga_api import clock, publication
from fpga_api.db import programs
from fpga_api.programs import follow
from fpga_api.schemas import programs as schemas
from tests.support import api
from tests.support.claims import IMAGE, Cloud, image
from tests.support.host import wait_until

SERVER = str(uuid.UUID(int=21))
PATH = f"/v1/servers/{SERVER}/programs"
EXPOSES = [{"kind": "socket", "name": "/dev/fpga0"}]


def _see(cloud: Cloud, **changes: typing.Any) -> None:
    """Have Nova show the server, or not."""
    server = {
        "id": SERVER,
        "tenant_id": api.PROJECT,
        "status": "ACTIVE",
        "OS-EXT-SRV-ATTR:host": "host1",
        "OS-EXT-STS:task_state": None,
        **changes,
    }
    found = [server] if changes.get("id", SERVER) == SERVER else []
    path = f"/servers/detail?all_tenants=true&uuid={SERVER}"
    cloud.placement.documents["compute", path] = {"servers": found}


@pytest.fixture(autouse=True)
def server(cloud: Cloud) -> None:
    _see(cloud)


@pytest.fixture
def engine(cloud: Cloud) -> follow.Follow:
    return follow.Follow(cloud.service)


def _program(cloud: Cloud, persona: str = "member", **body: typing.Any) -> typing.Any:
    return cloud.api.call("POST", PATH, persona, json={"bitstream": IMAGE, **body})


def _begun(cloud: Cloud, **body: typing.Any) -> str:
    answer = _program(cloud, **body)
    assert answer.status_code == 202, answer.json
    return answer.json["program"]["id"]


def _settle(cloud: Cloud, engine: follow.Follow, program: str, *states: str) -> dict:
    """Let the engine look until the program is in one of some states."""
    end = time.monotonic() + 60
    while True:
        engine.run()
        found = cloud.api.call("GET", f"/v1/programs/{program}", "member").json["program"]
        if found["state"] in states:
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


def test_schema_has_the_states_of_the_database() -> None:
    assert schemas.STATES == programs.STATES


def test_program_is_followed_to_its_end(cloud: Cloud, engine: follow.Follow) -> None:
    answer = _program(cloud, number=2, reboot="if_needed").json["program"]
    assert (answer["state"], answer["server_id"], answer["number"]) == ("running", SERVER, 2)
    host = cloud.hosts["host1"]
    (context,) = host.contexts
    assert (context["auth_token"], context["project_id"]) == ("member", api.PROJECT)
    assert host.calls == [("program", answer["id"])]
    end = {"state": "done", "previous": IMAGE, "reboot_required": False}
    host.programs[answer["id"]] |= end
    found = _settle(cloud, engine, answer["id"], "done")
    assert (found["previous_id"], found["reboot_required"], found["fault"]) == (IMAGE, False, None)
    row = programs.get(cloud.service.database, answer["id"])
    assert row is not None and row.in_place


@pytest.mark.parametrize(("seconds", "state"), [(0.1, "done"), (100, "running")])
def test_short_program_is_done_with_the_answer(cloud: Cloud, seconds: float, state: str) -> None:
    cloud.hosts["host1"].program_seconds = seconds
    answer = _program(cloud)
    assert (answer.status_code, answer.json["program"]["state"]) == (202, state)


def test_token_is_kept_nowhere(cloud: Cloud) -> None:
    _begun(cloud)
    with cloud.service.database.begin() as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM programs").all()
    assert "member" not in map(str, row)


@pytest.mark.parametrize(
    ("code", "restored", "of_answer"),
    [(72, True, "exit.72"), (68, False, "exit.68"), (None, None, "host.ended")],
)
def test_failure_says_what_is_in_the_region(
    cloud: Cloud, engine: follow.Follow, code, restored, of_answer: str
) -> None:
    program = _begun(cloud)
    end = {"state": "failed", "code": code, "restored": restored, "fault": "no"}
    cloud.hosts["host1"].programs[program] |= end
    found = _settle(cloud, engine, program, "failed")
    assert found["fault"] == {"code": of_answer, "detail": "no"}
    assert found["restored"] is restored
    assert _program(cloud).status_code == 202


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        ("task", 409, "fpga.server_busy"),
        ("state", 409, "fpga.server_state"),
        ("program", 409, "fpga.program_running"),
        ("region", 409, "fpga.no_region"),
        ("not_here", 409, "fpga.server_moved"),
        ("bitstream", 403, "fpga.bitstream_not_accepted"),
        ("no_bitstream", 404, "fpga.not_found"),
        ("unanswered", 503, "fpga.host_unavailable"),
        ("what is new", 409, "fpga.server_state"),
    ],
)
def test_program_that_the_host_refuses_never_was(
    cloud: Cloud, refusal: str, status: int, code: str
) -> None:
    host = cloud.hosts["host1"]
    host.refusals = {"program": refusal}
    answer = _program(cloud)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert cloud.api.call("GET", "/v1/programs", "member").json["programs"] == []
    host.refusals = {}
    assert _program(cloud).status_code == 202


def test_only_one_program_of_a_server_at_a_time(cloud: Cloud, engine: follow.Follow) -> None:
    first = _begun(cloud)
    assert _program(cloud).json["error"]["code"] == "fpga.program_running"
    cloud.hosts["host1"].programs[first]["state"] = "done"
    _settle(cloud, engine, first, "done")
    assert _program(cloud).status_code == 202


def test_server_in_a_task_is_left_alone(cloud: Cloud) -> None:
    for changes, code in (
        ({"OS-EXT-STS:task_state": "rebooting"}, "fpga.server_busy"),
        ({"OS-EXT-SRV-ATTR:host": None}, "fpga.server_state"),
    ):
        _see(cloud, **changes)
        answer = _program(cloud)
        assert (answer.status_code, answer.json["error"]["code"]) == (409, code)
    _see(cloud, status="UNKNOWN")
    assert _program(cloud).status_code == 503
    assert cloud.hosts["host1"].calls == []


def test_servers_of_others_are_not_there(cloud: Cloud) -> None:
    for persona in ("other-member", "service", "no-role"):
        assert _program(cloud, persona).status_code == 404
    assert _program(cloud, "reader").status_code == 403
    _see(cloud, id="another")
    assert _program(cloud).status_code == 404
    assert cloud.hosts["host1"].calls == []


def test_administrators_alone_program_any_bitstream(cloud: Cloud) -> None:
    seen = []
    host = cloud.hosts["host1"]
    real = host.program

    def program(context, program, wait=0):
        seen.append(program["any_bitstream"])
        return real(context, program, wait)

    host.program = program
    for persona in ("member", "admin"):
        assert _program(cloud, persona).status_code in (202, 409)
        with cloud.service.database.begin() as connection:
            connection.exec_driver_sql("DELETE FROM programs")
    assert seen == [False, True]


def test_bitstream_that_glance_does_not_show_is_not_there(cloud: Cloud) -> None:
    assert _program(cloud, bitstream=str(uuid.UUID(int=5))).status_code == 404
    path = ("image", f"/v2/images/{IMAGE}")
    cloud.placement.documents[path] = image(status="queued")
    assert _program(cloud).status_code == 400


def test_bitstream_with_other_devices_needs_a_reboot(cloud: Cloud) -> None:
    document = cloud.service.publication.read(publication.HOSTS).document
    region = {"server_id": SERVER, "number": 1, "nodes": EXPOSES, "bitstream_id": None}
    cloud.service.publication.publish(publication.HOSTS, {**document, "regions": [region]}, 1e6)
    path = ("image", f"/v2/images/{IMAGE}")
    other = '{"exposes": [{"kind": "char", "name": "/dev/fpga0"}]}'
    cloud.placement.documents[path] = image(manifest=other)
    assert _program(cloud).json["error"]["code"] == "fpga.other_nodes"
    same = '{"exposes": [{"kind": "socket", "name": "/dev/fpga0"}]}'
    cloud.placement.documents[path] = image(manifest=same)
    assert _program(cloud).status_code == 202
    with cloud.service.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM programs")
    cloud.placement.documents[path] = image(manifest=other)
    assert _program(cloud, reboot="if_needed").status_code == 202


def test_request_with_the_same_id_is_one_program(cloud: Cloud) -> None:
    program = str(uuid.uuid4())
    assert _begun(cloud, id=program) == program
    assert _begun(cloud, id=program) == program
    assert len(cloud.hosts["host1"].calls) == 1
    answer = _program(cloud, id=program, number=2)
    assert answer.json["error"]["code"] == "fpga.id_taken"


def test_program_whose_host_does_not_answer_is_followed(
    cloud: Cloud, engine: follow.Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = cloud.hosts["host1"]
    cloud.service.conf.set_override("start_timeout", 1, "programs")
    real = host.program

    def program(context, program, wait=0):
        real(context, program, wait)
        time.sleep(3)

    host.program = program
    answer = _program(cloud).json["program"]
    assert answer["state"] == "requested"
    host.programs[answer["id"]]["state"] = "done"
    assert _settle(cloud, engine, answer["id"], "done")["fault"] is None


def test_one_question_learns_of_an_end_that_comes_meanwhile(
    cloud: Cloud, engine: follow.Follow
) -> None:
    program = _begun(cloud)
    host = cloud.hosts["host1"]
    engine.run()
    wait_until(lambda: ("program_status", program) in host.calls)
    host.programs[program]["state"] = "done"
    wait_until(lambda: programs.get(cloud.service.database, program).state == "done")
    assert host.calls.count(("program_status", program)) == 1


@pytest.mark.parametrize("known", ["requested", "running"])
def test_program_that_a_host_does_not_know_is_lost(
    cloud: Cloud, engine: follow.Follow, known: str
) -> None:
    program = _begun(cloud)
    cloud.hosts["host1"].programs.clear()
    database = cloud.service.database
    programs.change(database, program, programs.BUSY, state=known)
    if known == "requested":
        engine.run()
        time.sleep(0.2)
        shown = cloud.api.call("GET", f"/v1/programs/{program}", "member").json["program"]
        assert shown["state"] == "requested"  # it may arrive
        past = clock.now() - datetime.timedelta(seconds=follow._ARRIVAL + 1)
        programs.change(database, program, programs.BUSY, created_at=past)
    found = _settle(cloud, engine, program, "lost")
    assert found["fault"]["code"] == "host.lost"


def test_host_that_says_nothing_for_long_has_lost_it(cloud: Cloud, engine: follow.Follow) -> None:
    program = _begun(cloud)
    cloud.hosts["host1"].refusals = {"program_status": "unanswered"}
    engine.run()
    cloud.service.conf.set_override("timeout", 30, "programs")
    past = clock.now() - datetime.timedelta(seconds=31)
    programs.change(cloud.service.database, program, programs.BUSY, created_at=past)
    _settle(cloud, engine, program, "lost")
