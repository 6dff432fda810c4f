# SPDX-License-Identifier: Apache-2.0
"""An engine with the runtime for live images, where this host can dump and restore at all."""

import pathlib
import typing

import pytest
from nova import objects

from novadocker.live import errors, settings
from tests.functional.novadocker import conftest as engines
from tests.functional.novadocker import dockerd as dockerds
from tests.functional.novadocker.live import live_engine

#: Answers with a word that only its memory has, and with its host name and the number of answers.
LOOP = (
    "word=$(cat /proc/sys/kernel/random/uuid); n=0; "
    "while :; do n=$((n+1)); echo $word $(hostname) $n > /tmp/answer; echo answer $n; "
    "sleep 0.2; done"
)


@pytest.fixture(scope="session")
def criu() -> pathlib.Path:
    """CRIU, if it works here."""
    try:
        return live_engine.find_criu()
    except errors.LiveError as e:
        pytest.skip(f"this host does not dump and restore: {e}")


@pytest.fixture(scope="session")
def dockerd(
    criu: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[dockerds.Dockerd]:
    """An engine with the runtime, which reads settings that each test writes."""
    yield from live_engine.started(tmp_path_factory.mktemp("live"))


@pytest.fixture
def live(
    dockerd: dockerds.Dockerd,
    criu: pathlib.Path,
    config: typing.Callable[..., None],
) -> settings.Settings:
    """What root does on the host of a test."""
    found, options = live_engine.prepare(dockerd, criu)
    config(**options, group="docker")
    return found


class Blesser:
    """Blesses servers and launches others, as Nova has it done."""

    def __init__(self, servers: engines.Servers, glance: engines.Glance) -> None:
        self.servers, self.glance = servers, glance

    def warm(self, command: str = LOOP, memory: int = 64) -> objects.Instance:
        """A server with something in its memory.

        :param memory: that of its flavor, MiB
        """
        properties = {"os_command_line": f'sh -c "{command}"'}
        data = self.glance.images[self.servers.image.id][1]
        return self.boot(self.glance.add(data, properties=properties), memory)

    def boot(self, image: objects.ImageMeta, memory: int = 64) -> objects.Instance:
        """A server of an image.

        :param memory: that of its flavor, MiB
        """
        instance = self.servers.instance(project_id="project")
        instance.flavor.memory_mb = memory
        instance.system_metadata = self.servers.system_metadata(image)
        instance.image_ref = image.id
        self.servers.spawn(instance, image)
        return instance

    def bless(self, instance: objects.Instance, **properties: str) -> str:
        """A live image; its id.

        :param properties: what its owner asks for
        """
        image_id = self.glance.empty()
        inherited = self.glance.images[instance.image_ref][0]["properties"]
        self.glance.images[image_id][0]["properties"] |= {
            **inherited,
            "live_image": "true",
            **properties,
        }
        self.servers.driver.snapshot(
            self.servers.context, instance, image_id, lambda *states, **more: None
        )
        return image_id

    def instance(self, image_id: str, **changes: typing.Any) -> objects.Instance:
        """A server that is to be made of a live image."""
        image = objects.ImageMeta.from_dict(self.glance.images[image_id][0])
        instance = self.servers.instance(**{"project_id": "project", **changes})
        instance.system_metadata = self.servers.system_metadata(image)
        instance.image_ref = image.id
        return instance

    def launch(self, image_id: str, memory: int = 64, **changes: typing.Any) -> objects.Instance:
        """A server of a live image.

        :param memory: that of its flavor, MiB
        """
        instance = self.instance(image_id, **changes)
        instance.flavor.memory_mb = memory
        image = objects.ImageMeta.from_dict(self.glance.images[image_id][0])
        self.servers.spawn(instance, image)
        return instance

    def answer(self, instance: objects.Instance) -> tuple[str, str, int]:
        """The word, the host name and the number that the loop wrote last."""
        text = ""
        for _ in range(100):
            text = self.servers.run(instance, "cat /tmp/answer")[1]
            if len(text.split()) == 3:
                break
        word, name, number = text.split()
        return word, name, int(number)


@pytest.fixture
def blesser(live: settings.Settings, servers: engines.Servers, glance: engines.Glance) -> Blesser:
    """What blesses and launches."""
    return Blesser(servers, glance)
