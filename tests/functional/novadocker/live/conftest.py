# SPDX-License-Identifier: Apache-2.0
"""An engine with the runtime for live images, where this host can dump and restore at all."""

import dataclasses
import os
import pathlib
import shutil
import sys
import typing

import nova.conf
import pytest
from nova import objects

from novadocker.live import errors, selftest, settings, signatures
from tests.functional.novadocker import conftest as engines
from tests.functional.novadocker import dockerd as dockerds

CONF = nova.conf.CONF

_ROOT = pathlib.Path(__file__).parents[4]
#: Where build_scripts/build_criu.sh keeps its builds.
_BUILDS = pathlib.Path("/var/cache/fpga-nova/criu")
#: Answers with a word that only its memory has, and with its host name and the number of answers.
LOOP = (
    "word=$(cat /proc/sys/kernel/random/uuid); n=0; "
    "while :; do n=$((n+1)); echo $word $(hostname) $n > /tmp/answer; echo answer $n; "
    "sleep 0.2; done"
)


@pytest.fixture(scope="session")
def criu() -> pathlib.Path:
    """CRIU, if it works here."""
    named = os.environ.get("FPGA_NOVA_TEST_CRIU")
    found = [pathlib.Path(named)] if named else sorted(_BUILDS.glob("[0-9]*/criu"))
    if not found:
        pytest.skip("CRIU is missing - run 'build_scripts/build_criu.sh'")
    try:
        selftest.run(found[-1])
    except errors.LiveError as e:
        pytest.skip(f"this host does not dump and restore: {e}")
    return found[-1]


@pytest.fixture(scope="session")
def dockerd(
    criu: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[dockerds.Dockerd]:
    """An engine with the runtime, which reads settings that each test writes."""
    folder = tmp_path_factory.mktemp("live")
    runtime = folder / "live"
    runtime.write_text(
        f"#!/bin/sh\nPYTHONPATH={_ROOT} exec {sys.executable} -m novadocker.live.runtime "
        f'{folder}/live.toml "$@"\n'
    )
    runtime.chmod(0o755)
    # CRIU finds no link where the engine mounts its init.
    init = pathlib.Path(shutil.which("docker-init") or "/usr/bin/docker-init").resolve()
    for engine in dockerds.started(f"--add-runtime=live={runtime}", f"--init-path={init}"):
        engine.live = folder  # type: ignore[attr-defined]
        yield engine
        engine.remove_containers()
        # A clone whose removal took too long leaves its group in the unified hierarchy.
        for entry in pathlib.Path("/sys/fs/cgroup/unified").glob(f"{engine._group}/*"):
            if entry.is_dir():
                entry.rmdir()


@pytest.fixture
def live(
    dockerd: dockerds.Dockerd,
    criu: pathlib.Path,
    config: typing.Callable[..., None],
) -> settings.Settings:
    """What root does on the host of a test."""
    folder: pathlib.Path = dockerd.live  # type: ignore[attr-defined]
    shutil.rmtree(folder / "state", ignore_errors=True)
    found = settings.Settings(
        criu=criu,
        runc=pathlib.Path(shutil.which("runc") or "/usr/sbin/runc"),
        runc_root=dockerd.folder / "exec" / "runtime-runc" / "moby",
        state=folder / "state",
        incoming=pathlib.Path(CONF.instances_path) / "live",
        group="root",
        signing_key=folder / "keys" / "signing.pem",
        trusted_keys=folder / "keys" / "trusted",
    )
    if not found.signing_key.exists():
        signatures.create(found.signing_key, found.trusted_keys)
    lines = (f'{name} = "{value}"\n' for name, value in dataclasses.asdict(found).items())
    (folder / "live.toml").write_text("".join(lines))
    program = folder / "fpga-live"
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH={_ROOT} exec {sys.executable} -m novadocker.live.command "
        f'--settings {folder}/live.toml "$@"\n'
    )
    program.chmod(0o755)
    config(
        live_images=True,
        # A busy machine restores slowly, and the engine answers only once it has.
        api_timeout=300,
        live_exec=str(program),
        live_settings=str(folder / "live.toml"),
        group="docker",
    )
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
        image = self.glance.add(data, properties=properties)
        instance = self.servers.instance(project_id="project")
        instance.flavor.memory_mb = memory
        instance.system_metadata = self.servers.system_metadata(image)
        instance.image_ref = image.id
        self.servers.spawn(instance, image)
        return instance

    def bless(self, instance: objects.Instance) -> str:
        """A live image; its id."""
        image_id = self.glance.empty()
        inherited = self.glance.images[instance.image_ref][0]["properties"]
        self.glance.images[image_id][0]["properties"] |= {**inherited, "live_image": "true"}
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

    def launch(self, image_id: str, **changes: typing.Any) -> objects.Instance:
        """A server of a live image."""
        instance = self.instance(image_id, **changes)
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
