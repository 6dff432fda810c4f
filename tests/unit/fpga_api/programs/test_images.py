# SPDX-License-Identifier: Apache-2.0
"""Hidden bitstreams stay while a server may need them, and no longer."""

import typing
import uuid

import pytest

from fpga_api import publication
from fpga_api.bitstreams import glance
from fpga_api.db import programs
from fpga_api.programs import images
from tests.support import api_database as rows
from tests.support.claims import Cloud, image

SERVER, FIRST, SECOND = (str(uuid.UUID(int=number)) for number in (21, 31, 32))


@pytest.fixture
def images_there(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> typing.Callable[[], list[str]]:
    """Let the engine look once; the images that are there then."""
    found = {one: image(one, **{images.PROPERTY: SERVER}) for one in (FIRST, SECOND)}
    found |= {name: image(name, **{images.PROPERTY: name}) for name in ("not-ours", "..")}
    monkeypatch.setattr(glance.Glance, "page", lambda *_arguments: list(found.values()))
    monkeypatch.setattr(glance.Glance, "delete", lambda _self, one: found.pop(one))
    _see(cloud, True)
    task = images.Images(cloud.service)

    def run() -> list[str]:
        task.run()
        return [one for one in found if one in (FIRST, SECOND)]

    yield run
    assert {"not-ours", ".."} <= set(found)


def _see(cloud: Cloud, there: bool) -> None:
    server = {"id": SERVER, "tenant_id": "p", "status": "ACTIVE"}
    path = f"/servers/detail?all_tenants=true&uuid={SERVER}"
    cloud.placement.documents["compute", path] = {"servers": [server] if there else []}


def _finish(cloud: Cloud, name: str, bitstream: str, state: str = programs.DONE) -> None:
    row = rows.program(name, SERVER, bitstream_id=bitstream)
    programs.add(cloud.service.database, row)
    programs.change(cloud.service.database, name, programs.BUSY, state=state)


def test_bitstream_stays_until_another_one_took_its_place(cloud: Cloud, images_there) -> None:
    assert images_there() == [FIRST, SECOND]  # they have no program yet
    _finish(cloud, "1", FIRST)
    _finish(cloud, "2", SECOND, programs.FAILED)
    assert images_there() == [FIRST]
    _finish(cloud, "3", str(uuid.UUID(int=99)))
    assert images_there() == []


def test_bitstream_of_a_program_that_runs_stays(cloud: Cloud, images_there) -> None:
    _finish(cloud, "1", FIRST)
    programs.add(cloud.service.database, rows.program("2", SERVER, bitstream_id=SECOND))
    assert images_there() == [FIRST, SECOND]


def test_bitstream_in_a_region_stays(cloud: Cloud, images_there) -> None:
    _finish(cloud, "1", FIRST, programs.LOST)
    document = cloud.service.publication.read(publication.HOSTS).document
    changed = {**document, "regions": [{"bitstream_id": FIRST}]}
    cloud.service.publication.publish(publication.HOSTS, changed, 1e6)
    assert images_there() == [FIRST, SECOND]


def test_bitstream_goes_with_its_server(cloud: Cloud, images_there) -> None:
    _finish(cloud, "1", FIRST)
    _see(cloud, False)
    assert images_there() == []
