# SPDX-License-Identifier: Apache-2.0
"""``openstack live image``, with what Nova and Glance would answer."""

import json
import pathlib
import tomllib
import typing

import pytest
from keystoneauth1 import fixture as keystone
from osc_lib import exceptions as osc

from fpga_client import nova_live
from tests.support.client import OpenStack

_KEYSTONE = "http://keystone.invalid/v3"
_COMPUTE = "http://compute.invalid/v2.1"
_IMAGE = "http://image.invalid"
_PLAIN = {"id": "image-2", "name": "plain", "status": "active", "container_format": "docker"}
_LIVE = {
    **_PLAIN,
    "id": "image-1",
    "name": "warm",
    "container_format": "live",
    "live_flavor": "small",
}
_SERVER = {"id": "server-1", "name": "one", "status": "ACTIVE", "image": {"id": "image-1"}}


class Cloud:
    """A Nova and a Glance that answer, and keep what they were asked for."""

    def __init__(self, mock: typing.Any) -> None:
        self.mock = mock
        self.servers: list[dict[str, typing.Any]] = []
        version = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": "2.96",
            "min_version": "2.1",
            "links": [{"rel": "self", "href": f"{_COMPUTE}/"}],
        }
        for url in (_COMPUTE, f"{_COMPUTE}/"):
            mock.get(url, json={"version": version})
        mock.get(
            f"{_IMAGE}/",
            json={
                "versions": [
                    {
                        "id": "v2.16",
                        "status": "CURRENT",
                        "links": [{"rel": "self", "href": f"{_IMAGE}/v2/"}],
                    }
                ]
            },
        )
        mock.get(f"{_IMAGE}/v2/images", json={"images": [_LIVE, _PLAIN]})
        for image in (_LIVE, _PLAIN):
            mock.get(f"{_IMAGE}/v2/images/{image['name']}", status_code=404)
            mock.get(f"{_IMAGE}/v2/images/{image['id']}", json=image)
            mock.get(
                f"{_IMAGE}/v2/images?name={image['name']}",
                json={"images": [image]},
                complete_qs=False,
            )
        mock.delete(f"{_IMAGE}/v2/images/image-1", status_code=204)
        mock.get(f"{_COMPUTE}/servers/server-1", json={"server": _SERVER})
        mock.get(f"{_COMPUTE}/servers/detail", json=lambda *_: {"servers": self.servers})
        mock.post(
            f"{_COMPUTE}/servers/server-1/action",
            status_code=202,
            json={"image_id": "image-1"},
        )
        mock.get(f"{_COMPUTE}/flavors/small", json={"flavor": {"id": "small", "name": "small"}})
        mock.post(f"{_COMPUTE}/servers", status_code=202, json={"server": {"id": "server-1"}})

    def sent(self, path: str) -> list[dict[str, typing.Any]]:
        """The bodies that were posted to a path."""
        return [
            one.json()
            for one in self.mock.request_history
            if one.method == "POST" and one.url.startswith(f"{_COMPUTE}{path}")
        ]


@pytest.fixture
def cloud(requests_mock: typing.Any, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The cloud that the command asks."""
    token = keystone.V3Token(project_id="1")
    token.add_service("compute").add_standard_endpoints(public=_COMPUTE)
    token.add_service("image").add_standard_endpoints(public=_IMAGE)
    requests_mock.get(_KEYSTONE, json={"version": keystone.V3Discovery(_KEYSTONE)})
    requests_mock.post(f"{_KEYSTONE}/auth/tokens", json=token, headers={"X-Subject-Token": "1"})
    for name, value in {
        "OS_AUTH_URL": _KEYSTONE,
        "OS_USERNAME": "u",
        "OS_PASSWORD": "p",
        "OS_PROJECT_ID": "1",
        "OS_USER_DOMAIN_ID": "default",
    }.items():
        monkeypatch.setenv(name, value)
    return Cloud(requests_mock)


def test_create_asks_nova_for_an_image_with_memory(cloud: Cloud, openstack: OpenStack) -> None:
    result = openstack("live", "image", "create", "server-1", "--name", "warm", "-f", "json")
    assert result.status == 0, result.err
    (body,) = cloud.sent("/servers/server-1/action")
    assert body == {"createImage": {"name": "warm", "metadata": {"live_image": "true"}}}
    assert json.loads(result.out)["ID"] == "image-1"


def test_create_asks_for_memory_that_is_shared(cloud: Cloud, openstack: OpenStack) -> None:
    result = openstack("live", "image", "create", "server-1", "--mapped", "-f", "json")
    assert result.status == 0, result.err
    (body,) = cloud.sent("/servers/server-1/action")
    metadata = {"live_image": "true", "live_memory": "mapped"}
    assert body["createImage"]["metadata"] == metadata


def test_list_has_live_images_alone(cloud: Cloud, openstack: OpenStack) -> None:
    result = openstack("live", "image", "list", "-f", "json")
    assert [one["Name"] for one in json.loads(result.out)] == ["warm"]


def test_launch_makes_several_servers(
    cloud: Cloud, openstack: OpenStack, tmp_path: typing.Any
) -> None:
    (tmp_path / "data").write_text("hello")
    words = ["--flavor", "small", "--count", "2", "--key-name", "k", "--hint", "group=g"]
    words += ["--user-data", str(tmp_path / "data"), "--security-group", "s"]
    result = openstack("live", "image", "launch", "image-1", "one", *words, "-f", "json")
    assert result.status == 0, result.err
    first, second = cloud.sent("/servers")
    assert (first["server"]["name"], second["server"]["name"]) == ("one-1", "one-2")
    assert first["server"]["imageRef"] == "image-1"
    assert first["server"]["user_data"] == "aGVsbG8="
    assert first["server"]["security_groups"] == [{"name": "s"}]
    assert first["OS-SCH-HNT:scheduler_hints"] == {"group": "g"}


def test_launch_takes_the_flavor_of_the_source(cloud: Cloud, openstack: OpenStack) -> None:
    result = openstack("live", "image", "launch", "image-1", "one")
    assert result.status == 0, result.err
    (body,) = cloud.sent("/servers")
    assert (body["server"]["flavorRef"], body["server"]["networks"]) == ("small", "auto")


def test_an_image_that_names_no_flavor_needs_one(cloud: Cloud, openstack: OpenStack) -> None:
    old = {name: value for name, value in _LIVE.items() if name != "live_flavor"}
    cloud.mock.get(f"{_IMAGE}/v2/images/image-1", json=old)
    result = openstack("live", "image", "launch", "image-1", "one")
    assert (result.status, cloud.sent("/servers")) == (1, [])
    assert "use --flavor" in result.err


def test_another_image_is_not_launched(cloud: Cloud, openstack: OpenStack) -> None:
    result = openstack("live", "image", "launch", "image-2", "one", "--flavor", "small")
    assert result.status == 1
    assert "image-2 is not a live image" in result.err


def test_servers_lists_those_of_the_image(cloud: Cloud, openstack: OpenStack) -> None:
    cloud.servers = [_SERVER]
    result = openstack("live", "image", "servers", "image-1", "-f", "json")
    assert [one["ID"] for one in json.loads(result.out)] == ["server-1"]


def test_discard_refuses_an_image_with_servers(cloud: Cloud, openstack: OpenStack) -> None:
    cloud.servers = [_SERVER]
    result = openstack("live", "image", "discard", "image-1")
    assert result.status == 1
    assert "Servers were made of it: one" in result.err
    assert not [one for one in cloud.mock.request_history if one.method == "DELETE"]
    assert openstack("live", "image", "discard", "image-1", "--force").status == 0


@pytest.fixture
def nova(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> typing.Callable[..., str]:
    """The client ``nova``; what it prints."""
    client = pytest.importorskip("novaclient.client", reason="python-novaclient is missing")
    from novaclient import extension, shell

    ours = extension.Extension("live", nova_live)
    monkeypatch.setattr(client, "discover_extensions", lambda *_: [ours])

    def run(*words: str) -> str:
        shell.OpenStackComputeShell().main(list(words))
        return capsys.readouterr().out

    return run


def test_nova_blesses(cloud: Cloud, nova: typing.Callable[..., str]) -> None:
    assert nova("bless", "server-1", "--name", "warm") == "image-1  ACTIVE  warm\n"
    (body,) = cloud.sent("/servers/server-1/action")
    assert body == {"createImage": {"name": "warm", "metadata": {"live_image": "true"}}}


def test_nova_launches(
    cloud: Cloud, nova: typing.Callable[..., str], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "data").write_text("hello")
    words = ["--num-instances", "2", "--security-groups", "a,b", "--hint", "group=g"]
    words += ["--key-name", "k", "--availability-zone", "z", "--user-data", f"{tmp_path}/data"]
    assert nova("launch", "image-1", *words) == "server-1  ACTIVE  one\n" * 2
    first, second = cloud.sent("/servers")
    assert (first["server"]["name"], second["server"]["name"]) == ("warm-1", "warm-2")
    assert first["server"]["flavorRef"] == "small"
    assert first["server"]["security_groups"] == [{"name": "a"}, {"name": "b"}]
    assert (first["server"]["key_name"], first["server"]["availability_zone"]) == ("k", "z")
    assert first["server"]["user_data"] == "aGVsbG8="
    assert first["OS-SCH-HNT:scheduler_hints"] == {"group": "g"}


def test_nova_discards(cloud: Cloud, nova: typing.Callable[..., str]) -> None:
    cloud.servers = [_SERVER]
    with pytest.raises(osc.CommandError, match="Servers were made of it: one"):
        nova("discard", "image-1")
    nova("discard", "image-1", "--force")
    assert [one.url for one in cloud.mock.request_history if one.method == "DELETE"] == [
        f"{_IMAGE}/v2/images/image-1"
    ]


def test_nova_refuses_another_image(nova: typing.Callable[..., str]) -> None:
    with pytest.raises(osc.CommandError, match="image-2 is not a live image"):
        nova("launch", "image-2")


def test_novas_client_finds_the_commands() -> None:
    table = tomllib.loads((pathlib.Path(__file__).parents[3] / "pyproject.toml").read_text())
    found = table["project"]["entry-points"]["novaclient.extension"]
    assert found == {"live": nova_live.__name__}


def test_discard_deletes_an_image_once(cloud: Cloud, openstack: OpenStack) -> None:
    assert openstack("live", "image", "discard", "image-1").status == 0
    cloud.mock.get(f"{_IMAGE}/v2/images/image-1", status_code=404)
    cloud.mock.get(f"{_IMAGE}/v2/images", json={"images": []})
    result = openstack("live", "image", "discard", "image-1")
    assert (result.status, "No image is called image-1" in result.err) == (1, True)
