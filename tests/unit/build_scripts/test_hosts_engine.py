# SPDX-License-Identifier: Apache-2.0
"""What the engine is asked for a host; the engine itself is a fake that records requests."""

import typing

import docker
import pytest
from local_hosts import image, model
from local_hosts.engine import Engine

HOST = model.Host(1, "controller", "10.77.0.11", "bookworm")


class Client(docker.APIClient):
    """Records what would be posted to an engine that has these containers."""

    def __init__(self, containers: dict[str, typing.Any]) -> None:
        super().__init__("unix:///nonexistent", version="1.41")
        self.containers, self.requests = containers, list[dict[str, typing.Any]]()

    @property
    def api(self) -> "Client":
        return self

    def inspect_container(self, container: str) -> dict[str, typing.Any]:
        if container not in self.containers:
            raise docker.errors.NotFound("no such container")
        return typing.cast(dict[str, typing.Any], self.containers[container])

    def _post_json(
        self, url: str, data: dict[str, typing.Any], **options: typing.Any
    ) -> typing.Any:
        self.requests.append(data | {"url": url, **options})
        return url

    def _result(self, *arguments: typing.Any, **options: typing.Any) -> typing.Any:
        return {"Id": "1"}


def request() -> dict[str, typing.Any]:
    client = Client({})
    assert Engine(client).create(HOST, "image", ["/a:/b:ro"])
    (found,) = client.requests
    return found


def test_first_process_is_a_program_of_the_image() -> None:
    (program,) = request()["Entrypoint"]
    assert image.HOST.files[program].mode == 0o755


def test_host_has_neither_all_privileges_nor_a_network_of_the_engine() -> None:
    settings = request()["HostConfig"]
    assert not settings.get("Privileged")
    assert (settings["CapAdd"], settings["CapDrop"]) == (["ALL"], ["SYS_RESOURCE"])
    assert (settings["NetworkMode"], settings["CgroupnsMode"]) == ("none", "private")
    assert settings["MaskedPaths"] == settings["ReadonlyPaths"] == []


def test_host_is_named_by_its_number_and_shuts_down_as_systemd_does() -> None:
    found = request()
    assert found["params"] == {"name": "host1"}
    assert (found["Hostname"], found["StopSignal"]) == ("controller", "SIGRTMIN+3")
    assert found["HostConfig"]["Binds"] == ["/a:/b:ro"]


@pytest.mark.parametrize("status", ["created", "running", "exited"])
def test_container_that_is_there_is_not_made_again(status: str) -> None:
    client = Client({"host1": {"State": {"Status": status}}})
    assert not Engine(client).create(HOST, "image", [])
    assert Engine(client).state(HOST) == status and not client.requests


def test_host_that_does_not_run_takes_no_command() -> None:
    client = Client({"host1": {"State": {"Status": "exited", "Pid": 0}}})
    with pytest.raises(model.LocalHostsError, match="controller does not run"):
        Engine(client).run(HOST, "true")
    with pytest.raises(model.LocalHostsError, match="controller does not run"):
        Engine(client).sandbox(HOST)
    assert Engine(client).pid(HOST) is None
