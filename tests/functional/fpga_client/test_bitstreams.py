# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga bitstream …``: the real command, application and Glance."""

import json
import sys
import typing
from pathlib import Path

import pytest
import requests_mock

from tests.support import api as support
from tests.support import bitstreams as packages
from tests.support import client, glance

NOVA = "http://nova.test"

# One Glance for all of them.
pytestmark = pytest.mark.xdist_group("fpga-client")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[str]:
    with glance.running(tmp_path_factory.mktemp("glance")) as url:
        yield url


@pytest.fixture
def api(url: str, tmp_path: Path) -> typing.Iterator[support.Api]:
    catalogue = {"image": url, "compute": NOVA}
    limits = {"max_size": 1 << 20}
    service = glance.service_of(catalogue, packages=limits)
    # No flavor uses a bitstream; all else that is asked goes where it is meant to.
    with support.Tokens(catalogue), requests_mock.Mocker(real_http=True) as nova:
        nova.get(f"{NOVA}/flavors/detail", json={"flavors": []})
        yield support.Api(service)


class Fpga(typing.Protocol):
    """The command: its status, what it printed in JSON, and its messages."""

    def __call__(self, *words: str) -> tuple[int, typing.Any, str]:
        """Run it."""


@pytest.fixture
def fpga(
    api: support.Api,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> typing.Iterator[Fpga]:
    """``openstack fpga bitstream``; what it uploaded goes afterwards."""
    with (
        client.address(api, monkeypatch),
        client.openstack(monkeypatch, capsys, tmp_path) as openstack,
    ):

        def run(verb: str, *words: str) -> tuple[int, typing.Any, str]:
            form = [] if verb == "delete" else ["-f", "json"]
            result = openstack("fpga", "bitstream", verb, *words, *form)
            return result.status, json.loads(result.out or "null"), result.err

        yield run
        monkeypatch.setenv("OS_TOKEN", "member")
        if found := [one["ID"] for one in run("list")[1]]:
            assert run("delete", *found)[0] == 0


@pytest.fixture
def package(tmp_path: Path) -> str:
    file = tmp_path / "package.zip"
    file.write_bytes(packages.package())
    return str(file)


def test_bitstream_is_created_listed_shown_and_deleted(fpga: Fpga, package: str) -> None:
    status, created, _ = fpga("create", package, "--name", "mine")
    assert status == 0
    fields = packages.fields()
    assert (created["Name"], created["Visibility"]) == ("mine", "shared")
    assert created["Manifest"]["function"] == created["Function"] == fields["function"]
    assert created["Size"] == Path(package).stat().st_size
    (listed,) = fpga("list", "--long")[1]
    assert listed == {name: created[name] for name in listed}
    assert fpga("show", created["ID"])[1] == fpga("show", "mine")[1]
    assert fpga("show", "mine")[1]["Manifest"] == created["Manifest"]
    assert fpga("delete", "mine")[0] == 0
    assert fpga("list")[1] == []


def test_name_is_that_of_the_manifest(fpga: Fpga, package: str) -> None:
    assert fpga("create", package)[1]["Name"] == packages.fields()["name"]


@pytest.mark.parametrize("name", ["function", "board", "vendor", "type"])
def test_filters_are_the_services(fpga: Fpga, package: str, name: str) -> None:
    created = fpga("create", package)[1]
    if value := created[name.title()]:
        assert [one["ID"] for one in fpga("list", f"--{name}", value)[1]] == [created["ID"]]
    assert fpga("list", f"--{name}", "another")[1] == []


def test_list_has_all_pages(fpga: Fpga, package: str, api: support.Api) -> None:
    api.service.conf.set_override("max_limit", 1, "fpga_api")
    names = {f"n{index}" for index in range(3)}
    for name in names:
        fpga("create", package, "--name", name)
    assert {one["Name"] for one in fpga("list")[1]} == names


def test_name_of_several_asks_for_the_id(fpga: Fpga, package: str) -> None:
    ids = [fpga("create", package, "--name", "twin")[1]["ID"] for _ in range(2)]
    status, _, why = fpga("delete", "twin")
    assert status == 1
    assert "give the id" in why
    assert fpga("show", ids[1])[1]["ID"] == ids[1]


def test_bad_package_does_not_reach_glance(fpga: Fpga, tmp_path: Path) -> None:
    file = tmp_path / "bad.zip"
    file.write_bytes(b"no zip")
    for verb in ("validate", "create"):
        status, printed, why = fpga(verb, str(file))
        assert (status, printed) == (1, None)
        assert "zip" in why
    assert fpga("list")[1] == []


def test_valid_package_is_described_and_kept_nowhere(fpga: Fpga, package: str) -> None:
    status, valid, _ = fpga("validate", package)
    assert status == 0
    assert valid["Manifest"]["name"] == packages.fields()["name"]
    assert fpga("list")[1] == []


def test_package_that_is_too_large_is_refused(fpga: Fpga, package: str, api: support.Api) -> None:
    api.service.conf.set_override("max_size", 100, "packages")
    status, _, why = fpga("create", package)
    assert status == 1
    assert "larger than 100 bytes" in why


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot be read: No such file"), (b"", "is empty")]
)
def test_file_that_is_no_package_is_not_sent(
    fpga: Fpga, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "file.zip"
    if content is not None:
        file.write_bytes(content)
    status, _, why = fpga("create", str(file))
    assert status == 1
    assert f"{file} {message}" in why


def test_delete_goes_on_after_a_refusal(fpga: Fpga, package: str) -> None:
    fpga("create", package, "--name", "mine")
    status, _, why = fpga("delete", "nothing", "mine")
    assert status == 1
    assert "nothing was not deleted" in why
    assert "1 of 2 bitstreams" in why
    assert fpga("list")[1] == []


def test_other_project_sees_nothing_of_it(
    fpga: Fpga, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = fpga("create", package)[1]
    monkeypatch.setenv("OS_TOKEN", "other-member")
    assert fpga("list")[1] == []
    for verb in ("show", "delete"):
        status, _, why = fpga(verb, created["ID"])
        assert status == 1
        assert "there is no" in why


def test_reader_may_not_upload(fpga: Fpga, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_TOKEN", "reader")
    status, _, why = fpga("create", package)
    assert status == 1
    assert "Ask for the role" in why


def test_progress_is_shown_on_a_terminal(
    api: support.Api,
    package: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    with (
        client.address(api, monkeypatch),
        client.openstack(monkeypatch, capsys, tmp_path) as openstack,
    ):
        words = ("fpga", "bitstream", "validate", package, "--progress", "-f", "json")
        assert "100%" not in openstack(*words).out
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert "\r[=============================>] 100%\n" in openstack(*words).out
