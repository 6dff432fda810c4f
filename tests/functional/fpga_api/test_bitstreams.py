# SPDX-License-Identifier: Apache-2.0
"""Bitstreams by the API, with a Glance behind it."""

import contextlib
import datetime
import io
import json
import sqlite3
import typing
import urllib.parse
import uuid
from pathlib import Path

import pytest
import requests
import requests_mock

from fpga_api import publication
from fpga_api.bitstreams import lookup
from fpga_api.bitstreams.glance import Glance
from fpga_nova import request as flavors
from tests.support import api as support
from tests.support import bitstreams as packages
from tests.support import glance

NOVA = "http://nova.test"
PACKAGE = packages.package()
ZIP = "application/zip"


# The process that has Glance.
pytestmark = pytest.mark.xdist_group("glance")


@pytest.fixture
def nova() -> typing.Iterator[requests_mock.Mocker]:
    """Flavors; all else that is asked goes where it is meant to."""
    with requests_mock.Mocker(real_http=True) as mocker:
        mocker.get(f"{NOVA}/flavors/detail", json={"flavors": []})
        yield mocker


@pytest.fixture
def api(
    glance_url: str, nova: requests_mock.Mocker, tmp_path: Path
) -> typing.Iterator[support.Api]:
    catalogue = {"image": glance_url, "compute": NOVA}
    limits = {"max_size": 1 << 20}
    service = glance.service_of(
        catalogue, packages=limits, fpga_api={"upload_folder": str(tmp_path)}
    )
    with support.Tokens(catalogue):
        yield support.Api(service)
        assert list(tmp_path.iterdir()) == []
        admin = Glance(service.adapter("image", _plugin("admin", catalogue)))
        for image in admin.page(None, 1000, {"visibility": "all"}):
            admin.delete(image["id"])


def _plugin(persona: str, catalogue: typing.Mapping[str, str]) -> typing.Any:
    from keystoneauth1 import access
    from keystoneauth1.identity.access import AccessInfoPlugin

    token = support.token_of(support.PERSONAS[persona], catalogue)
    return AccessInfoPlugin(access.create(body=token, auth_token=persona))


def _as(api: support.Api, persona: str) -> Glance:
    """Glance itself, for a persona."""
    catalogue = {"image": _endpoint(api)}
    return Glance(api.service.adapter("image", _plugin(persona, catalogue)))


def _endpoint(api: support.Api) -> str:
    return str(api.service.session.get_endpoint(service_type="image"))


def _upload(
    api: support.Api, data: bytes = PACKAGE, persona: str = "member", **query: str
) -> typing.Any:
    path = "/v1/bitstreams"
    if query:
        path = f"{path}?{urllib.parse.urlencode(query)}"
    return api.call("POST", path, persona, data=data, content_type=ZIP)


def _code(response: typing.Any) -> tuple[int, str]:
    return response.status_code, response.json["error"]["code"]


def _raw(api: support.Api, data: bytes, persona: str = "member", **record: typing.Any) -> str:
    """An image that somebody uploads by raw Glance, as seed 004 has it in its option A."""
    user, image_id = _as(api, persona), str(uuid.uuid4())
    user.create({"id": image_id, "name": "raw", "visibility": "private", **record})
    user.upload(image_id, io.BytesIO(data))
    return image_id


def test_upload_makes_the_image_that_seed_004_wants(api: support.Api) -> None:
    response = _upload(api, name="mine")
    assert response.status_code == 201
    image = _as(api, "member").show(response.json["id"])
    fields = packages.fields()
    assert image["tags"] == ["FPGA"]
    assert (image["container_format"], image["name"]) == ("fpga", "mine")
    assert (image["vendor"], image["owner"]) == (fields["vendor"], support.PROJECT)
    assert json.loads(image["manifest"])["function"] == response.json["function"]
    assert image["size"] == len(PACKAGE)


def test_name_is_the_manifest_s_by_default(api: support.Api) -> None:
    created = _upload(api).json
    assert created["name"] == created["manifest"]["name"]


@pytest.mark.parametrize(
    ("persona", "status"),
    [("member", 200), ("reader", 200), ("other-reader", 404), ("admin", 200), ("service", 403)],
)
def test_private_upload_is_the_project_s(api: support.Api, persona: str, status: int) -> None:
    image_id = _upload(api).json["id"]
    response = api.call("GET", f"/v1/bitstreams/{image_id}", persona)
    assert response.status_code == status
    listed = api.call("GET", "/v1/bitstreams", persona)
    if listed.status_code == 200:
        ids = [one["id"] for one in listed.json["bitstreams"]]
        assert ids == ([image_id] if status == 200 else [])


def test_private_upload_is_fetched_by_the_service(api: support.Api) -> None:
    image_id = _upload(api).json["id"]
    service = Glance(api.service.adapter("image"))
    assert [image["id"] for image in service.page(None, 10, {})] == [image_id]
    assert b"".join(service.download(image_id, len(PACKAGE))) == PACKAGE


def test_community_upload_is_for_all_who_know_it(api: support.Api) -> None:
    image_id = _upload(api, visibility="community").json["id"]
    assert api.call("GET", f"/v1/bitstreams/{image_id}", "other-reader").status_code == 200
    assert api.call("GET", "/v1/bitstreams", "other-reader").json["bitstreams"] == []


def test_glance_decides_who_publishes(api: support.Api) -> None:
    assert _code(_upload(api, visibility="public")) == (403, "fpga.forbidden")
    assert _upload(api, visibility="public", persona="admin").status_code == 201


@pytest.mark.parametrize(
    "data",
    [b"P", b"PK", packages.without_manifest(), PACKAGE[:-100]],
    ids=["one byte", "two bytes", "no manifest", "cut short"],
)
def test_bad_package_reaches_no_glance(api: support.Api, data: bytes) -> None:
    for path in ("/v1/bitstreams", "/v1/bitstreams/validate"):
        response = api.call("POST", path, "member", data=data, content_type=ZIP)
        assert _code(response) == (422, "fpga.bad_package")
    assert api.call("GET", "/v1/bitstreams", "member").json["bitstreams"] == []


def test_package_that_is_too_large_is_refused(api: support.Api) -> None:
    assert _code(_upload(api, b"1" * (1 << 20) + b"1")) == (413, "fpga.too_large")


def test_validation_keeps_nothing(api: support.Api) -> None:
    response = api.call("POST", "/v1/bitstreams/validate", "member", data=PACKAGE, content_type=ZIP)
    assert response.json["manifest"]["function"] == packages.fields()["function"]
    assert response.json["digest"].startswith("sha256:")
    assert api.call("GET", "/v1/bitstreams", "member").json["bitstreams"] == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("function=lzo1x_compress", 2),
        ("function=other", 1),
        ("function=none", 0),
        ("vendor=acme", 1),
        ("board=emulator&function=other", 1),
    ],
)
def test_list_is_filtered(api: support.Api, query: str, count: int) -> None:
    for changes in ({}, {"vendor": "acme"}, {"function": "other"}):
        assert _upload(api, packages.package(**changes)).status_code == 201
    board = packages.fields()["target"]["board"]
    response = api.call("GET", f"/v1/bitstreams?{query.replace('emulator', board)}", "reader")
    assert len(response.json["bitstreams"]) == count


@pytest.mark.parametrize("query", ["", "&function=raw"])
def test_pages_have_each_bitstream_once(api: support.Api, query: str) -> None:
    ids = [_raw(api, b"1", manifest='{"function": "raw"}') for _ in range(7)]
    found: list[str] = []
    path = f"/v1/bitstreams?limit=3{query}"
    sizes = []
    while path:
        page = api.call("GET", path, "reader").json
        found += [one["id"] for one in page["bitstreams"]]
        sizes.append(len(page["bitstreams"]))
        path = page["next"]
    assert (found, sizes) == (ids[::-1], [3, 3, 1])


def test_marker_that_is_gone_is_said(api: support.Api) -> None:
    response = api.call("GET", f"/v1/bitstreams?marker={support.PLACEHOLDER}", "reader")
    assert _code(response) == (404, "fpga.not_found")


def test_other_images_are_no_bitstreams(api: support.Api) -> None:
    others = [
        _raw(api, b"1", tags=["other"]),
        _raw(api, b"1", container_format="bare"),
        "nonsense",
        support.PLACEHOLDER,
    ]
    for other in others:
        response = api.call("GET", f"/v1/bitstreams/{other}", "member")
        assert _code(response) == (404, "fpga.not_found")
        assert api.call("DELETE", f"/v1/bitstreams/{other}", "member").status_code == 404
    assert api.call("GET", "/v1/bitstreams", "member").json["bitstreams"] == []


def test_raw_upload_is_shown_as_any_other_once_the_engine_read_it(api: support.Api) -> None:
    image_id = _raw(api, PACKAGE, persona="admin", visibility="public", vendor="v", type="t")
    path = f"/v1/bitstreams/{image_id}"
    before = api.call("GET", path, "reader").json
    task = lookup.Lookup(api.service)
    task.refresh()
    after = api.call("GET", path, "reader").json
    assert (before["vendor"], before["type"], before["function"]) == ("v", "t", None)
    assert (after["vendor"], after["type"]) == ("v", "t")
    assert after["function"] == packages.fields()["function"]
    assert after["manifest"]["function"] == after["function"]
    listed = api.call("GET", f"/v1/bitstreams?function={after['function']}", "reader").json
    assert [one["id"] for one in listed["bitstreams"]] == [image_id]


def test_lookup_reads_each_package_once(api: support.Api) -> None:
    public = {"persona": "admin", "visibility": "public"}
    for data in (PACKAGE, PACKAGE, b"nonsense"):
        _raw(api, data, **public)
    _upload(api, visibility="public", persona="admin")
    looks = []
    first = lookup.Lookup(api.service)
    for task in (first, first, lookup.Lookup(api.service)):
        with requests_mock.Mocker(real_http=True) as mocker:
            task.refresh()
            looks.append(sum(one.path.endswith("/file") for one in mocker.request_history))
    published = api.service.publication.read(publication.BITSTREAMS)
    assert published is not None
    read = list(published.document["packages"].values())
    assert looks == [2, 0, 0]
    assert sorted(one["manifest"] is None for one in read) == [False, True]


def test_lookup_sees_what_is_uploaded_later(api: support.Api) -> None:
    task = lookup.Lookup(api.service)
    task.refresh()
    _raw(api, PACKAGE, persona="admin", visibility="public")
    task.refresh()
    published = api.service.publication.read(publication.BITSTREAMS)
    assert published is not None
    assert len(published.document["packages"]) == 1


@pytest.mark.parametrize(
    ("persona", "visibility", "status"),
    [
        ("member", "private", 204),
        ("reader", "private", 403),
        ("other-member", "private", 404),
        ("other-member", "community", 403),
        ("admin", "private", 204),
    ],
)
def test_members_of_the_project_delete_a_bitstream(
    api: support.Api, persona: str, visibility: str, status: int
) -> None:
    image_id = _upload(api, visibility=visibility).json["id"]
    path = f"/v1/bitstreams/{image_id}"
    assert api.call("DELETE", path, persona).status_code == status
    assert api.call("GET", path, "member").status_code == (404 if status == 204 else 200)


def test_bitstream_of_a_flavor_is_not_deleted(api: support.Api, nova: requests_mock.Mocker) -> None:
    image_id = _upload(api).json["id"]
    path = f"/v1/bitstreams/{image_id}"
    pages = [
        {
            "flavors": [{"id": "1", "extra_specs": {}}],
            "flavors_links": [{"rel": "next", "href": f"{NOVA}/flavors/detail?marker=1"}],
        },
        {"flavors": [{"id": "2", "extra_specs": {f"{flavors.EXTRA_SPEC}_2": image_id}}]},
    ]
    nova.get(f"{NOVA}/flavors/detail", [{"json": page} for page in pages])
    assert _code(api.call("DELETE", path, "member")) == (409, "fpga.bitstream_in_use")
    nova.get(f"{NOVA}/flavors/detail", status_code=503)
    assert _code(api.call("DELETE", path, "member")) == (503, "fpga.unavailable")
    assert api.call("GET", path, "member").status_code == 200


@pytest.mark.parametrize(("state", "status"), [("programmed", 409), ("free", 204)])
def test_bitstream_of_a_region_is_not_deleted(api: support.Api, state: str, status: int) -> None:
    image_id = _upload(api).json["id"]
    region = {"id": "1", "state": state, "bitstream_id": image_id}
    api.service.publication.publish("hosts", {"regions": [region]}, 15)
    response = api.call("DELETE", f"/v1/bitstreams/{image_id}", "member")
    assert response.status_code == status


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, (503, "fpga.glance_unavailable")),
        (503, (503, "fpga.glance_unavailable")),
        (413, (413, "fpga.too_large")),
        (401, (401, "fpga.unauthorized")),
        (409, (409, "fpga.glance_refused")),
    ],
)
def test_upload_that_glance_breaks_off_leaves_nothing(
    api: support.Api, nova: requests_mock.Mocker, status: int, answer: tuple[int, str]
) -> None:
    nova.put(requests_mock.ANY, status_code=status, text="<h1>No</h1>quota<br>")
    assert _code(_upload(api)) == answer
    assert api.call("GET", "/v1/bitstreams", "member").json["bitstreams"] == []


def test_glance_that_is_too_slow_is_said(api: support.Api, nova: requests_mock.Mocker) -> None:
    nova.put(requests_mock.ANY, exc=requests.exceptions.ReadTimeout)
    assert _code(_upload(api)) == (503, "fpga.glance_unavailable")
    assert api.call("GET", "/v1/bitstreams", "member").json["bitstreams"] == []


def test_glance_that_does_not_answer_is_said(api: support.Api) -> None:
    with support.Tokens({"image": "http://127.0.0.1:1", "compute": NOVA}):
        fresh = support.Api(api.service)
        for method, path in (
            ("GET", "/v1/bitstreams"),
            ("GET", f"/v1/bitstreams/{support.PLACEHOLDER}"),
            ("DELETE", f"/v1/bitstreams/{support.PLACEHOLDER}"),
        ):
            response = fresh.call(method, path, "member")
            assert _code(response) == (503, "fpga.glance_unavailable")
        assert _code(_upload(fresh)) == (503, "fpga.glance_unavailable")


def test_catalogue_without_glance_is_said(api: support.Api) -> None:
    with support.Tokens():
        response = support.Api(api.service).call("GET", "/v1/bitstreams", "member")
    assert _code(response) == (503, "fpga.glance_unavailable")


_RARE = str(uuid.UUID(int=7))


def _fill(folder: Path, count: int) -> set[str]:
    """Put images into Glance's database, which takes a minute by its API; their ids."""
    ids = [str(uuid.UUID(int=number)) for number in range(count)]
    start = datetime.datetime(2026, 1, 1)
    # As SQLAlchemy writes a time into SQLite, where it compares texts.
    times = [f"{start + datetime.timedelta(seconds=n // 3)}.000000" for n in range(count)]
    with contextlib.closing(sqlite3.connect(folder / "glance.sqlite")) as database, database:
        database.executemany(
            "INSERT INTO images (id, name, status, container_format, disk_format, owner,"
            " visibility, min_disk, min_ram, protected, os_hidden, created_at, updated_at, deleted)"
            " VALUES (?, 'raw', 'active', 'fpga', 'raw', ?, 'public', 0, 0, 0, 0, ?, ?, 0)",
            [(one, support.PROJECT, at, at) for one, at in zip(ids, times, strict=True)],
        )
        database.executemany(
            "INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted)"
            " VALUES (?, 'FPGA', ?, ?, 0)",
            [(one, at, at) for one, at in zip(ids, times, strict=True)],
        )
        database.executemany(
            "INSERT INTO image_properties (image_id, name, value, created_at, deleted)"
            " VALUES (?, 'manifest', ?, ?, 0)",
            [
                (one, json.dumps({"function": "rare" if one == _RARE else "raw"}), at)
                for one, at in zip(ids, times, strict=True)
            ],
        )
    return set(ids)


def test_ten_thousand_bitstreams_are_paged(api: support.Api, glance_folder: Path) -> None:
    ids = _fill(glance_folder, 10_000)
    found: list[str] = []
    path = "/v1/bitstreams?function=raw"
    while path:
        page = api.call("GET", path, "other-reader").json
        assert len(page["bitstreams"]) <= 1000
        found += [one["id"] for one in page["bitstreams"]]
        path = page["next"]
    assert len(found) == len(set(found))
    assert ids - set(found) == {_RARE}
    with contextlib.closing(sqlite3.connect(glance_folder / "glance.sqlite")) as database, database:
        for table in ("image_tags", "image_properties", "images"):
            database.execute(f"DELETE FROM {table}")
