# SPDX-License-Identifier: Apache-2.0
"""Claims by the API and the engine, with a real Placement and hosts in memory."""

import datetime
import uuid

import pytest

from fpga_api import clock, errors
from fpga_api.claims import allocations, work
from fpga_api.db import claims
from fpga_api.schemas import claims as schemas
from fpga_nova import contract
from tests.support import api
from tests.support.claims import BOARD, IMAGE, Cloud

PROJECT = api.PERSONAS["admin"].project


def _claim(cloud: Cloud, **body) -> str:
    answer = cloud.claim(**body)
    assert answer.status_code == 202, answer.json
    return answer.json["claim"]["id"]


def test_schema_has_the_states_of_the_database() -> None:
    assert schemas.STATES == claims.STATES


def test_claim_gets_a_region_of_its_own_and_gives_it_back(cloud: Cloud) -> None:
    answer = cloud.claim().json["claim"]
    assert (answer["state"], answer["nodes"], answer["ttl"]) == ("programming", [], 3600)
    assert cloud.settle(answer["id"]) == ["active"]
    claim = cloud.show(answer["id"])
    assert claim["address"] == "0000:3b:00.0"
    assert claim["region"].startswith(claim["device"])
    assert claim["card"] == cloud.providers[claim["host"]]
    assert claim["nodes"][0]["path"] == "/dev/fpga-nova/r0"
    assert cloud.allocated() == {claim["id"]: claim["host"]}
    assert cloud.owners() == {claim["id"]}
    allocation = cloud.placement.ask("GET", f"/allocations/{claim['id']}")
    assert allocation["consumer_type"] == contract.CLAIM_CONSUMER
    assert allocation["project_id"] == PROJECT

    for _ in range(2):
        assert cloud.api.call("DELETE", f"/v1/claims/{claim['id']}", "admin").status_code == 202
    assert cloud.settle(claim["id"]) == ["released"]
    assert cloud.allocated() == {}
    assert cloud.owners() == set()
    assert cloud.api.call("DELETE", f"/v1/claims/{claim['id']}", "admin").status_code == 202


def test_claim_of_a_host_card_board_and_class_is_there(cloud: Cloud) -> None:
    for body in (
        {"host": "host2"},
        {"device": "card9"},
        {"device": cloud.providers["host2"], "resource_class": "CUSTOM_FPGA_REGION"},
    ):
        claim = _claim(cloud, traits=[BOARD], **body)
        cloud.settle(claim)
        assert cloud.show(claim)["host"] == "host2", body
        cloud.api.call("DELETE", f"/v1/claims/{claim}", "admin")
        cloud.settle(claim)


def test_claim_may_have_a_region_of_another_class(cloud: Cloud) -> None:
    pf = "CUSTOM_FPGA_INTEL_PF"
    cloud.placement.ask("PUT", f"/resource_classes/{pf}")
    path = f"/resource_providers/{cloud.providers['host1']}/inventories"
    body = {"resource_provider_generation": 2, "inventories": {pf: {"total": 2}}}
    cloud.placement.ask("PUT", path, body)
    for resource_class, host in ((pf, "host1"), ("CUSTOM_FPGA_REGION", "host2")):
        claim = _claim(cloud, resource_class=resource_class)
        cloud.settle(claim)
        assert cloud.show(claim)["host"] == host
    ids = [_claim(cloud) for _ in range(2)]
    assert cloud.settle(*ids) == ["active"] * 2
    assert cloud.claim().json["error"]["code"] == "fpga.none_free"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"host": "elsewhere"}, 409, "fpga.none_free"),
        ({"host": "host1", "device": "card9"}, 409, "fpga.none_free"),
        ({"traits": ["CUSTOM_FPGA"], "resource_class": "VCPU"}, 409, "fpga.none_free"),
        ({"type": "crypto"}, 409, "fpga.none_free"),
        ({"traits": ["CUSTOM_NO_SUCH_TRAIT"]}, 400, "fpga.bad_request"),
        ({"resource_class": "CUSTOM_NO_SUCH_CLASS"}, 400, "fpga.bad_request"),
        ({"bitstream": str(uuid.UUID(int=5))}, 404, "fpga.not_found"),
        ({"ttl": 0}, 400, "fpga.bad_request"),
        ({"nodename": "host1"}, 400, "fpga.bad_request"),
    ],
)
def test_claim_that_cannot_be_is_refused_and_leaves_nothing(
    cloud: Cloud, body, status: int, code: str
) -> None:
    cloud.placement.documents[
        "image",
        "/v2/images?tag=FPGA&container_format=fpga&sort_key=created_at&sort_key=id"
        "&sort_dir=desc&sort_dir=desc&limit=1&type=crypto&status=active",
    ] = {"images": []}
    answer = cloud.claim(**body)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert cloud.api.call("GET", "/v1/claims", "admin").json["claims"] == []
    assert cloud.allocated() == {}


def test_bitstream_is_programmed_on_a_card_of_its_board(cloud: Cloud) -> None:
    claim = _claim(cloud, bitstream=IMAGE)
    assert cloud.settle(claim) == ["active"]
    assert cloud.show(claim)["bitstream_id"] == IMAGE
    cloud.placement.documents["image", f"/v2/images/{IMAGE}"]["board"] = "other"
    assert cloud.claim(bitstream=IMAGE).json["error"]["code"] == "fpga.none_free"


def test_five_claims_of_four_regions_are_four(cloud: Cloud) -> None:
    ids = [_claim(cloud) for _ in range(4)]
    assert cloud.claim().status_code == 409
    assert cloud.settle(*ids) == ["active"] * 4
    assert cloud.owners() == set(ids)
    cloud.api.call("DELETE", f"/v1/claims/{ids[0]}", "admin")
    cloud.settle(ids[0])
    assert cloud.claim().status_code == 202


def test_host_that_is_full_is_followed_by_the_next_one(cloud: Cloud) -> None:
    """As where Placement allocated more than there is."""
    cloud.hosts["host1"].owners = dict.fromkeys(cloud.hosts["host1"].owners, "server")
    ids = [_claim(cloud) for _ in range(2)]
    assert cloud.settle(*ids) == ["active"] * 2
    assert {cloud.show(one)["host"] for one in ids} == {"host2"}
    third = _claim(cloud)
    assert cloud.settle(third) == ["failed"]
    assert cloud.show(third)["fault"]["code"] == "fpga.none_free"
    assert set(cloud.allocated()) == set(ids)


def test_claim_whose_consumer_placement_has_kept_fails_after_a_while(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where Placement ends after it deleted the allocations, and before the consumer."""
    for host in cloud.hosts.values():
        host.owners = dict.fromkeys(host.owners, "server")
    claim = _claim(cloud)

    def fail(*_arguments: object) -> None:
        raise OSError("Placement ends here")

    row = claims.get(cloud.service.database, claim)
    assert row is not None
    with monkeypatch.context() as patch:
        patch.setattr("placement.objects.consumer.delete_consumers_if_no_allocations", fail)
        cloud.work._hold(row)
    assert cloud.allocated() == {}
    monkeypatch.setattr(allocations, "_TRIES", 0.2)
    cloud.work._hold(row)
    assert cloud.show(claim)["state"] == "programming"
    cloud.service.conf.set_override("timeout", 10, "claims")
    past = clock.now() - datetime.timedelta(seconds=11)
    claims.change(cloud.service.database, claim, claims.HELD, created_at=past)
    assert cloud.settle(claim) == ["failed"]
    assert "Placement answered with conflicts alone" in cloud.show(claim)["fault"]["detail"]


def test_request_with_the_same_id_is_one_claim(cloud: Cloud) -> None:
    claim = str(uuid.uuid4())
    assert _claim(cloud, id=claim, ttl=50) == claim
    assert cloud.settle(claim) == ["active"]
    again = cloud.claim(id=claim, ttl=50)
    assert (again.status_code, again.json["claim"]["state"]) == (202, "active")
    assert cloud.claim(id=claim).status_code == 409
    for persona in ("service", "admin"):
        other = cloud.claim(persona, id=claim, ttl=51)
        assert other.json["error"]["code"] == "fpga.id_taken"
    assert len(cloud.allocated()) == 1


def test_claim_expires_unless_it_is_renewed(cloud: Cloud) -> None:
    short, long = _claim(cloud, ttl=1), _claim(cloud, ttl=1)
    answer = cloud.api.call("PATCH", f"/v1/claims/{long}", "admin", json={"ttl": 100})
    end = clock.parse(answer.json["claim"]["expires_at"])
    assert 90 < (end - clock.now()).total_seconds() <= 100
    past = clock.now() - datetime.timedelta(seconds=1)
    claims.change(cloud.service.database, short, claims.HELD, expires_at=past)
    assert cloud.settle(short, long) == ["expired", "active"]
    assert set(cloud.allocated()) == cloud.owners() == {long}
    late = cloud.api.call("PATCH", f"/v1/claims/{short}", "admin", json={"ttl": 100})
    assert late.json["error"]["code"] == "fpga.claim_ended"
    too_long = cloud.api.call("PATCH", f"/v1/claims/{long}", "admin", json={"ttl": 86401})
    assert too_long.json["claim"]["ttl"] == 86400


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ({"failures": {"hold": 68}}, "exit.68"),
        ({"refusals": {"hold": "bitstream"}}, "host.bitstream"),
        ({"refusals": {"hold": "allocation"}}, "host.allocation"),
    ],
)
def test_claim_that_a_host_does_not_hold_fails_and_leaves_nothing(
    cloud: Cloud, failure, code: str
) -> None:
    for host in cloud.hosts.values():
        vars(host).update(failure)
    claim = _claim(cloud)
    assert cloud.settle(claim) == ["failed"]
    assert cloud.show(claim)["fault"]["code"] == code
    assert cloud.allocated() == {}
    assert cloud.owners() == set()


def test_host_that_takes_long_is_waited_for(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_WAIT", 0.1)
    for host in cloud.hosts.values():
        host.seconds = 0.5
    claim = _claim(cloud)
    assert cloud.settle(claim) == ["active"]
    calls = [one for host in cloud.hosts.values() for one in host.calls]
    assert len(calls) > 1
    assert set(calls) == {("hold", claim)}


def test_host_that_cannot_hold_now_is_waited_for_and_not_for_ever(cloud: Cloud) -> None:
    for host in cloud.hosts.values():
        host.refusals = {"hold": "unanswered"}
    claim = _claim(cloud)
    cloud.work.run()
    assert cloud.show(claim)["state"] == "programming"
    cloud.service.conf.set_override("timeout", 10, "claims")
    past = clock.now() - datetime.timedelta(seconds=11)
    claims.change(cloud.service.database, claim, claims.HELD, created_at=past)
    assert cloud.settle(claim) == ["failed"]
    assert cloud.show(claim)["fault"]["code"] == "fpga.host_unavailable"
    assert cloud.allocated() == {}


def test_release_waits_for_a_host_that_has_something_in_the_way(cloud: Cloud) -> None:
    claim = _claim(cloud)
    cloud.settle(claim)
    for host in cloud.hosts.values():
        host.refusals = {"release": "guest"}
    cloud.api.call("DELETE", f"/v1/claims/{claim}", "admin")
    for _ in range(3):
        cloud.work.run()
    assert cloud.show(claim)["state"] == "releasing"
    assert cloud.allocated() != {}
    for host in cloud.hosts.values():
        host.refusals = {}
    assert cloud.settle(claim) == ["released"]
    assert cloud.owners() == set()


def test_release_does_not_wait_for_a_host_that_is_gone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_RELEASE", 0.2)
    claim = _claim(cloud)
    cloud.settle(claim)
    for host in cloud.hosts.values():
        host.silent = True
    cloud.api.call("DELETE", f"/v1/claims/{claim}", "admin")
    assert cloud.settle(claim) == ["released"]
    assert cloud.allocated() == {}
    assert cloud.owners() == {claim}  # its audit erases


def test_hold_that_comes_after_the_release_is_undone(cloud: Cloud) -> None:
    claim = _claim(cloud)
    row = claims.get(cloud.service.database, claim)
    assert row is not None
    claims.change(cloud.service.database, claim, claims.HELD, state=claims.RELEASED)
    cloud.work._hold(row)
    assert cloud.owners() == set()


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("point", ["before", "after"])
def test_api_that_ends_while_it_allocates_leaves_nothing(
    cloud: Cloud, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fpga_api.claims import create
    from fpga_api.claims.allocations import Allocations

    real = Allocations.allocate

    def allocate(self, *arguments):
        if point == "after":
            real(self, *arguments)
        raise KilledError

    monkeypatch.setattr(Allocations, "allocate", allocate)
    monkeypatch.setattr(create.claims, "change", lambda *_arguments, **_values: False)
    claim = str(uuid.uuid4())
    with pytest.raises(KilledError):
        cloud.claim(id=claim)
    monkeypatch.undo()
    assert len(cloud.allocated()) == (point == "after")
    cloud.work.run()
    assert cloud.show(claim)["state"] == "allocating"
    past = clock.now() - datetime.timedelta(seconds=work._ALLOCATING + 1)
    monkeypatch.setattr(clock, "now", lambda: past)
    claims.change(cloud.service.database, claim, claims.HELD, state=claims.ALLOCATING)
    monkeypatch.undo()
    assert cloud.settle(claim) == ["failed"]
    assert cloud.allocated() == {}


def test_allocation_of_an_ended_claim_is_swept(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, living = _claim(cloud), _claim(cloud)
    claims.change(cloud.service.database, claim, claims.HELD, state=claims.FAILED)
    cloud.work.sweep()
    assert claim in cloud.allocated()
    now = clock.now()
    monkeypatch.setattr(
        clock, "now", lambda: now + datetime.timedelta(seconds=work._ALLOCATING + 2)
    )
    cloud.work.sweep()
    assert set(cloud.allocated()) == {living}


def test_placement_that_does_not_answer_leaves_the_rest_to_the_engine(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fpga_api.claims.allocations import Allocations

    def fail(*_arguments):
        raise errors.CloudUnavailable("Placement does not answer")

    monkeypatch.setattr(Allocations, "_put", fail)
    claim = str(uuid.uuid4())
    assert cloud.claim(id=claim).status_code == 503
    assert cloud.show(claim)["state"] == "releasing"
    assert cloud.settle(claim) == ["failed"]


def test_owners_see_their_claims_and_nobody_else_s(cloud: Cloud) -> None:
    mine = cloud.claim("service").json["claim"]["id"]
    theirs = _claim(cloud)

    def ids(persona: str, query: str = "") -> list[str]:
        answer = cloud.api.call("GET", f"/v1/claims{query}", persona)
        return [one["id"] for one in answer.json["claims"]]

    assert ids("service") == [mine]
    assert ids("admin") == sorted([mine, theirs])
    assert ids("other-reader") == [theirs]
    assert ids("reader") == []
    assert ids("admin", f"?project={api.SERVICE_PROJECT}") == [mine]
    assert ids("service", f"?project={PROJECT}") == []
    assert ids("admin", "?state=active") == []
    answer = cloud.api.call("GET", "/v1/claims?limit=1", "admin").json
    following = cloud.api.call("GET", answer["next"], "admin").json
    assert [one["claims"][0]["id"] for one in (answer, following)] == sorted([mine, theirs])
    assert following["next"] is None
    for method, body in (("GET", None), ("PATCH", {"ttl": 5}), ("DELETE", None)):
        answer = cloud.api.call(method, f"/v1/claims/{theirs}", "service", json=body)
        assert answer.status_code == 404, method
