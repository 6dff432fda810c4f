# SPDX-License-Identifier: Apache-2.0
"""Nova's objects and options, without a cloud and without an engine."""

import pathlib
import threading
import types
import typing

import nova.conf
import pytest
from nova import objects
from oslo_config import fixture as config_fixture

from novadocker import options
from tests.unit.novadocker.listener import Listener

CONF = nova.conf.CONF


@pytest.fixture
def config(tmp_path: pathlib.Path) -> typing.Iterator[typing.Callable[..., None]]:
    """Set options for the test."""
    options.register_opts(CONF)
    objects.register_all()
    fixture = config_fixture.Config(CONF)
    fixture.setUp()
    CONF([], project="nova", default_config_files=[], default_config_dirs=[])
    fixture.config(instances_path=str(tmp_path / "instances"), host="host1")
    yield fixture.config
    fixture.cleanUp()


@pytest.fixture
def instance() -> types.SimpleNamespace:
    """What the driver reads of an instance."""
    return types.SimpleNamespace(
        uuid="11111111-2222-3333-4444-555555555555",
        hostname="dcr1",
        name="instance-00000001",
        display_name="dcr1",
        project_id="p",
        image_ref="i",
        config_drive="",
        key_data="ssh-ed25519 AAAA somebody",
        metadata={},
        system_metadata={},
        flavor=types.SimpleNamespace(memory_mb=512, vcpus=4, swap=0, root_gb=1, extra_specs={}),
    )


@pytest.fixture
def listener(
    config: typing.Callable[..., None], tmp_path: pathlib.Path
) -> typing.Iterator[Listener]:
    """What answers at ``[docker] host_url``."""
    config(host_url=f"unix://{tmp_path}/engine", api_timeout=10, group="docker")
    with Listener(tmp_path / "engine") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
