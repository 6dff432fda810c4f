# SPDX-License-Identifier: Apache-2.0
"""``nova bless``, ``nova launch`` and ``nova discard``, with what the services would answer."""

import pathlib
import tomllib
import typing

import pytest
from osc_lib import exceptions as osc

from fpga_client import nova_live
from tests.unit.fpga_client import live_cloud


@pytest.fixture
def nova(
    cloud: live_cloud.Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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


def test_nova_blesses(cloud: live_cloud.Cloud, nova: typing.Callable[..., str]) -> None:
    assert nova("bless", "server-1", "--name", "warm") == "image-1  ACTIVE  warm\n"
    (body,) = cloud.sent("/servers/server-1/action")
    assert body == {"createImage": {"name": "warm", "metadata": {"live_image": "true"}}}


def test_nova_launches(
    cloud: live_cloud.Cloud, nova: typing.Callable[..., str], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "data").write_text("hello")
    words = ["--num-instances", "2", "--security-groups", "a,b", "--hint", "group=g"]
    words += ["--key-name", "k", "--availability-zone", "z", "--user-data", f"{tmp_path}/data"]
    words += ["--nic", "network", "--nic", "net-id=network-1,tag=t", "--meta", "a=b"]
    words += ["--hint", "other=a", "--hint", "other=b", "--config-drive", "true"]
    assert nova("launch", "image-1", *words) == "server-1  ACTIVE  one\n" * 2
    first, second = cloud.sent("/servers")
    assert (first["server"]["name"], second["server"]["name"]) == ("warm-1", "warm-2")
    assert first["server"]["flavorRef"] == "small"
    assert first["server"]["security_groups"] == [{"name": "a"}, {"name": "b"}]
    assert (first["server"]["key_name"], first["server"]["availability_zone"]) == ("k", "z")
    assert first["server"]["user_data"] == "aGVsbG8="
    networks = [{"uuid": "network-1"}, {"uuid": "network-1", "tag": "t"}]
    assert first["server"]["networks"] == networks
    assert (first["server"]["metadata"], first["server"]["config_drive"]) == ({"a": "b"}, True)
    assert first["OS-SCH-HNT:scheduler_hints"] == {"group": "g", "other": ["a", "b"]}


def test_nova_discards(cloud: live_cloud.Cloud, nova: typing.Callable[..., str]) -> None:
    cloud.servers = [live_cloud.SERVER]
    with pytest.raises(osc.CommandError, match="Servers were made of it: one"):
        nova("discard", "image-1")
    nova("discard", "image-1", "--force")
    assert [one.url for one in cloud.mock.request_history if one.method == "DELETE"] == [
        f"{live_cloud.IMAGE}/v2/images/image-1"
    ]


def test_nova_refuses_another_image(nova: typing.Callable[..., str]) -> None:
    with pytest.raises(osc.CommandError, match="image-2 is not a live image"):
        nova("launch", "image-2")


def test_novas_client_finds_the_commands() -> None:
    table = tomllib.loads((pathlib.Path(__file__).parents[3] / "pyproject.toml").read_text())
    found = table["project"]["entry-points"]["novaclient.extension"]
    assert found == {"live": nova_live.__name__}
