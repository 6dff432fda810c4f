# SPDX-License-Identifier: Apache-2.0
"""Two hosts, each with an engine, folders and a key of its own: an image of one on the other."""

import json
import shutil

import pytest
from nova.compute import power_state

from novadocker import errors
from novadocker.clone_file import TARGET
from novadocker.live import settings
from novadocker.virt import docker as novadocker_driver
from tests.functional.novadocker import conftest as engines
from tests.functional.novadocker.live import conftest, live_engine

#: The runtime of a host whose processor has no features.
_OTHER_PROCESSOR = (
    "import sys; from novadocker.live import containers, runtime; "
    "containers.processor = tuple; sys.exit(runtime.main(sys.argv[1:]))"
)


class Host:
    """A host with live images.

    :param servers: those of its driver
    :param options: of its nova-compute, in the section docker
    """

    def __init__(self, live, servers, glance, config, options):
        self.live, self.servers, self._config, self._options = live, servers, config, options
        self._blesser = conftest.Blesser(servers, glance)
        self.at().servers.driver.live.look()
        assert servers.driver.live.refusal is None

    def at(self):
        """Be on the host, until the other one is asked for; what blesses and launches there."""
        self._config(instances_path=str(self.live.incoming.parent))
        self._config(**self._options, group="docker")
        return self._blesser

    def trust(self, other):
        """Trust the key of another host, as the role live_images has it."""
        for key in other.live.trusted_keys.glob("*.pem"):
            shutil.copy(key, self.live.trusted_keys)

    def has_nothing(self):
        """Whether there is neither an image nor a container."""
        client, fetched = self.servers.client, self.live.incoming / settings.IMAGES
        return not (
            client.images.list(all=True)
            or client.containers.list(all=True)
            or any(fetched.iterdir())
        )


@pytest.fixture
def first(live, servers, glance, config, dockerd):
    """The host of the engine of all tests."""
    _live, options = live_engine.prepare(dockerd, live.criu)
    return Host(live, servers, glance, config, {**options, "host_url": dockerd.url})


@pytest.fixture
def second(first, criu, glance, config, tmp_path):
    """A host of which nothing was asked yet; it trusts its own key alone."""
    folder = tmp_path / "second"
    folder.mkdir()
    for dockerd in live_engine.started(folder):
        config(instances_path=str(folder / "instances"))
        live, options = live_engine.prepare(dockerd, criu)
        options["host_url"] = dockerd.url
        config(**options, group="docker")
        driver = novadocker_driver.DockerDriver(None)
        driver.init_host("host2")
        client = dockerd.client()
        servers = engines.Servers(driver, client, glance, first.servers.image)
        host = Host(live, servers, glance, config, options)
        assert live.signing_key.read_bytes() != first.live.signing_key.read_bytes()
        yield host
        client.close()


def test_an_image_of_one_host_makes_a_server_of_another_that_trusts_its_key(first, second):
    source = first.at().warm()
    first.servers.run(source, "echo written > /file")
    word, _name, number = first.at().answer(source)
    image_id = first.at().bless(source)

    # Another host may trust it, so Nova tries one.
    with pytest.raises(errors.ImageNotReady, match="which this host does not trust"):
        second.at().launch(image_id)
    assert second.has_nothing()

    second.trust(first)
    clone = second.at().launch(image_id)
    found = second.at().answer(clone)
    assert found[:2] == (word, clone.hostname)
    assert found[2] >= number
    assert second.servers.run(clone, "cat /file") == (0, "written\n")
    identity = json.loads(second.servers.run(clone, f"cat {TARGET}")[1])
    assert [identity[name] for name in ("server", "image", "source")] == [
        clone.uuid,
        image_id,
        source.uuid,
    ]
    assert first.at().answer(source)[:2] == (word, source.hostname)
    assert first.servers.driver.get_info(source).state == power_state.RUNNING


def test_a_host_that_lacks_features_of_the_processor_refuses_before_criu(first, second):
    image_id = first.at().bless(first.at().warm())
    second.trust(first)
    folder = second.live.signing_key.parents[1]
    asked, program = folder / "asked", folder / "criu"
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexec {second.live.criu} "$@"\n')
    program.chmod(0o755)
    file, runtime = folder / "live.toml", folder / "live"
    file.write_text(file.read_text().replace(f'"{second.live.criu}"', f'"{program}"'))
    good = runtime.read_text()
    runtime.write_text(good.replace("-m novadocker.live.runtime", f"-c '{_OTHER_PROCESSOR}'"))
    with pytest.raises(errors.EngineRefused, match="this host's processor lacks "):
        second.at().launch(image_id)
    assert not asked.exists()
    runtime.write_text(good)
    second.at().launch(image_id)
    assert asked.exists()
