# SPDX-License-Identifier: Apache-2.0
"""What is listed of Glance, and what of it can be chosen."""

import json
import typing

import pytest
from nova import context as nova_context
from oslo_config import cfg
from oslo_config import fixture as config_fixture

from fpga_hooks.functions import catalogue
from tests.support import openstack

MANIFEST = {"version": "1.2", "target": {"board": "emulator", "part": "hx8k"}}


class Clock:
    """The time, which a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(catalogue, "time", clock)
    return clock


@pytest.fixture
def cloud(config) -> typing.Iterator[openstack.OpenStack]:
    """A Glance that Nova's own image API asks."""
    config(function_bitstreams=["public"])
    fixture = config_fixture.Config(cfg.CONF)
    fixture.setUp()
    with openstack.OpenStack() as cloud:
        fixture.config(group="glance", api_servers=[cloud.url], num_retries=0)
        yield cloud
    fixture.cleanUp()


@pytest.fixture
def known(cloud, clock, monkeypatch) -> catalogue.Catalogue:
    """A catalogue whose user has a token."""
    asker = nova_context.RequestContext(is_admin=True, auth_token=openstack.TOKEN, overwrite=False)
    known = catalogue.Catalogue()
    monkeypatch.setattr(known, "_context", asker)
    return known


def add(cloud: openstack.OpenStack, kind: str = "checksum", **properties: typing.Any) -> str:
    """Have Glance have a bitstream of a type; its id."""
    values = {
        "tags": ["FPGA"],
        "type": kind,
        "manifest": json.dumps(MANIFEST),
        "updated_at": "2026-01-01T00:00:00Z",
        "visibility": "public",
        "owner": "operator",
    }
    return cloud.add(b"", properties=values | properties)


def listings(cloud: openstack.OpenStack) -> list[str]:
    return [path for path in cloud.requests if path.startswith("/v2/images?")]


def test_bitstream_is_known_by_what_its_record_says(cloud, known) -> None:
    image = add(cloud, "Check.Sum", img_signature="x")
    assert not known.known
    known.refresh()
    (one,) = known.all()
    assert known.known
    assert known.get(image) is one
    assert (one.function, one.board, one.part, one.version) == (
        *("check_sum", "emulator", "hx8k"),
        "1.2",
    )
    assert (one.owner, one.public, one.signed) == ("operator", True, True)
    assert one.digest == cloud.images[image].record()["os_hash_value"]


def test_board_and_part_may_be_properties_of_their_own(cloud, known) -> None:
    add(cloud, manifest=None, board="icestick", part="hx1k", version="3")
    add(cloud, manifest=None, board="icestick", visibility="private")
    known.refresh()
    found = [(one.board, one.part, one.version, one.public) for one in known.all()]
    assert sorted(found, key=repr) == [
        ("icestick", "hx1k", "3", True),
        ("icestick", None, "", False),
    ]


@pytest.mark.parametrize(
    "properties",
    [
        {"type": "my checksum"},
        {"type": ""},
        {"type": None},
        {"type": "x" * 65},
        {"type": "é"},
        {"tags": []},
        {"manifest": "{"},
        {"manifest": "[" * 100_000},
        {"manifest": "[]"},
        {"manifest": '{"target": 3}'},
        {"manifest": '{"target": {"board": ["x"]}}'},
        {"manifest": None},
        {"updated_at": None},
    ],
)
def test_bitstream_of_which_too_little_is_known_is_not_listed(cloud, known, properties) -> None:
    kind = properties.pop("type", "checksum")
    add(cloud, kind, **properties)
    known.refresh()
    assert known.all() == ()


def test_image_that_is_not_active_or_no_bitstream_is_not_listed(cloud, known) -> None:
    for changes in ({"status": "deactivated"}, {"container_format": "docker"}):
        image = add(cloud)
        vars(cloud.images[image]).update(changes)
    known.refresh()
    assert known.all() == ()


def test_nothing_is_asked_where_no_function_is_offered(cloud, known, config) -> None:
    add(cloud)
    known.refresh()
    config(function_bitstreams=[])
    before = len(cloud.requests)
    known.refresh()
    assert (known.known, known.all(), len(cloud.requests)) == (False, (), before)


def test_only_changes_are_listed_until_all_is_listed_again(cloud, known, clock) -> None:
    gone, image = add(cloud), add(cloud)
    known.refresh()
    del cloud.images[gone]
    cloud.images[image].status = "deactivated"
    cloud.requests.clear()
    known.refresh()
    assert "updated_at=gte%3A2025-12-31T23%3A59%3A55Z" in listings(cloud)[0]
    assert [one.id for one in known.all()] == [gone]
    cloud.images[image].status = "active"
    clock.now += 600
    cloud.requests.clear()
    known.refresh()
    assert "updated_at=gte" not in listings(cloud)[0]
    assert [one.id for one in known.all()] == [image]


def test_what_was_known_stays_where_glance_does_not_answer(cloud, known, caplog) -> None:
    add(cloud)
    known.refresh()
    cloud.answers["/v2/images"] = 503
    known.refresh()
    assert len(known.all()) == 1
    assert "Glance does not list its bitstreams" in caplog.text
    cloud.answers.clear()
    known.refresh()
    assert len(known.all()) == 1


def test_no_more_are_known_than_a_host_can_look_through(cloud, known, monkeypatch) -> None:
    monkeypatch.setattr(catalogue, "_MOST", 2)
    days = [add(cloud, updated_at=f"2026-01-0{day}T00:00:00Z") for day in (1, 2, 3)]
    known.refresh()
    assert {one.id for one in known.all()} == set(days[1:])
