# SPDX-License-Identifier: Apache-2.0
"""``openstack live image``, with what Nova and Glance would answer."""

import json
import typing

import pytest

from tests.support.client import OpenStack
from tests.unit.fpga_client import live_cloud


def test_create_asks_nova_for_an_image_with_memory(
    cloud: live_cloud.Cloud, openstack: OpenStack
) -> None:
    result = openstack("live", "image", "create", "server-1", "--name", "warm", "-f", "json")
    assert result.status == 0, result.err
    (body,) = cloud.sent("/servers/server-1/action")
    assert body == {"createImage": {"name": "warm", "metadata": {"live_image": "true"}}}
    assert json.loads(result.out)["ID"] == "image-1"


def test_create_asks_for_memory_that_is_shared(
    cloud: live_cloud.Cloud, openstack: OpenStack
) -> None:
    result = openstack("live", "image", "create", "server-1", "--mapped", "-f", "json")
    assert result.status == 0, result.err
    (body,) = cloud.sent("/servers/server-1/action")
    metadata = {"live_image": "true", "live_memory": "mapped"}
    assert body["createImage"]["metadata"] == metadata


def test_list_has_live_images_alone(cloud: live_cloud.Cloud, openstack: OpenStack) -> None:
    result = openstack("live", "image", "list", "-f", "json")
    assert [one["Name"] for one in json.loads(result.out)] == ["warm"]


def test_launch_makes_several_servers(
    cloud: live_cloud.Cloud, openstack: OpenStack, tmp_path: typing.Any
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


def test_launch_takes_what_a_boot_takes(cloud: live_cloud.Cloud, openstack: OpenStack) -> None:
    words = ["--availability-zone", "z", "--server-group", "group", "--hint", "other=a"]
    words += ["--hint", "other=b", "--property", "a=b", "--use-config-drive"]
    result = openstack("live", "image", "launch", "image-1", "one", *words)
    assert result.status == 0, result.err
    (body,) = cloud.sent("/servers")
    assert body["server"]["availability_zone"] == "z"
    assert (body["server"]["metadata"], body["server"]["config_drive"]) == ({"a": "b"}, True)
    assert body["OS-SCH-HNT:scheduler_hints"] == {"group": "group-1", "other": ["a", "b"]}


@pytest.mark.parametrize(
    ("words", "networks"),
    [
        (["--network", "network"], [{"uuid": "network-1"}]),
        (["--port", "port-1"], [{"port": "port-1"}]),
        (
            ["--nic", "net-id=network-1,v4-fixed-ip=10.0.0.9,tag=t", "--nic", "port-id=port"],
            [{"uuid": "network-1", "fixed_ip": "10.0.0.9", "tag": "t"}, {"port": "port-1"}],
        ),
        (["--nic", "none"], "none"),
        (["--no-network"], "none"),
        (["--nic", "auto"], "auto"),
    ],
)
def test_launch_takes_networks_as_a_boot(
    cloud: live_cloud.Cloud, openstack: OpenStack, words: list[str], networks: typing.Any
) -> None:
    result = openstack("live", "image", "launch", "image-1", "one", *words)
    assert result.status == 0, result.err
    (body,) = cloud.sent("/servers")
    assert body["server"]["networks"] == networks


@pytest.mark.parametrize(
    "words",
    [
        ["--nic", "net=network"],
        ["--nic", "net-id="],
        ["--nic", "tag=t"],
        ["--nic", "net-id=network-1,port-id=port-1"],
        ["--nic", "net-id=network-1,v4-fixed-ip=10.0.0.9,v6-fixed-ip=fd00::9"],
        ["--no-network", "--network", "network"],
        ["--port", "port", "--count", "2"],
        ["--nic", "net-id=network-1,v4-fixed-ip=10.0.0.9", "--count", "2"],
    ],
)
def test_networks_that_nova_would_refuse_launch_nothing(
    cloud: live_cloud.Cloud, openstack: OpenStack, words: list[str]
) -> None:
    result = openstack("live", "image", "launch", "image-1", "one", *words)
    assert (result.status, cloud.sent("/servers")) == (1, [])
    assert "is not of the form net-id=" in result.err or "are for one server alone" in result.err


@pytest.mark.parametrize("count", ["0", "-1"])
def test_a_launch_of_no_server_is_refused(
    cloud: live_cloud.Cloud, openstack: OpenStack, count: str
) -> None:
    result = openstack("live", "image", "launch", "image-1", "one", f"--count={count}")
    assert (result.status, cloud.sent("/servers")) == (1, [])
    assert "at least 1" in result.err


def test_launch_takes_the_flavor_of_the_source(
    cloud: live_cloud.Cloud, openstack: OpenStack
) -> None:
    result = openstack("live", "image", "launch", "image-1", "one")
    assert result.status == 0, result.err
    (body,) = cloud.sent("/servers")
    assert (body["server"]["flavorRef"], body["server"]["networks"]) == ("small", "auto")


def test_an_image_that_names_no_flavor_needs_one(
    cloud: live_cloud.Cloud, openstack: OpenStack
) -> None:
    old = {name: value for name, value in live_cloud.LIVE.items() if name != "live_flavor"}
    cloud.mock.get(f"{live_cloud.IMAGE}/v2/images/image-1", json=old)
    result = openstack("live", "image", "launch", "image-1", "one")
    assert (result.status, cloud.sent("/servers")) == (1, [])
    assert "use --flavor" in result.err


def test_another_image_is_not_launched(cloud: live_cloud.Cloud, openstack: OpenStack) -> None:
    result = openstack("live", "image", "launch", "image-2", "one", "--flavor", "small")
    assert result.status == 1
    assert "image-2 is not a live image" in result.err


def test_servers_lists_those_of_the_image(cloud: live_cloud.Cloud, openstack: OpenStack) -> None:
    cloud.servers = [live_cloud.SERVER]
    result = openstack("live", "image", "servers", "image-1", "-f", "json")
    assert [one["ID"] for one in json.loads(result.out)] == ["server-1"]


def test_discard_refuses_an_image_with_servers(
    cloud: live_cloud.Cloud, openstack: OpenStack
) -> None:
    cloud.servers = [live_cloud.SERVER]
    result = openstack("live", "image", "discard", "image-1")
    assert result.status == 1
    assert "Servers were made of it: one" in result.err
    assert not [one for one in cloud.mock.request_history if one.method == "DELETE"]
    assert openstack("live", "image", "discard", "image-1", "--force").status == 0


def test_discard_deletes_an_image_once(cloud: live_cloud.Cloud, openstack: OpenStack) -> None:
    assert openstack("live", "image", "discard", "image-1").status == 0
    cloud.mock.get(f"{live_cloud.IMAGE}/v2/images/image-1", status_code=404)
    cloud.mock.get(f"{live_cloud.IMAGE}/v2/images", json={"images": []})
    result = openstack("live", "image", "discard", "image-1")
    assert (result.status, "No image is called image-1" in result.err) == (1, True)
