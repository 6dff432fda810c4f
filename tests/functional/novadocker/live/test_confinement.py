# SPDX-License-Identifier: Apache-2.0
"""Programs with the capabilities that the units of a host with live images have, and no more."""

import pathlib
import shlex

import pytest
import yaml
from nova.compute import power_state

from novadocker.live import hook
from tests.functional.novadocker.live import live_engine

_ROLES = pathlib.Path(__file__).parents[4] / "build_scripts/roles"
#: What systemd starts is not of somebody's login, as a test may be. CRIU restores that.
_OF_NOBODYS_LOGIN = [
    *("sh", "-c"),
    '[ ! -e /proc/self/loginuid ] || echo 4294967295 > /proc/self/loginuid; exec "$@"',
    "sh",
]


def _bounded():
    """The words before a command that bound its capabilities as those units do."""
    settings = yaml.safe_load((_ROLES / "service/defaults/main.yml").read_text())
    removed = settings["service_confinement_of_root"]["CapabilityBoundingSet"]
    _of_root, *added = settings["service_confinement_of_criu"]["CapabilityBoundingSet"]
    names = sorted(set(removed.removeprefix("~").split()) - set(added))
    words = ",".join(f"-{name.removeprefix('CAP_').lower()}" for name in names)
    return [*_OF_NOBODYS_LOGIN, "setpriv", f"--bounding-set={words}"]


@pytest.fixture(scope="module")
def dockerd(criu, tmp_path_factory):
    """An engine as the unit of containerd bounds it, which starts the runtime."""
    yield from live_engine.started(tmp_path_factory.mktemp("bounded"), before=_bounded())


@pytest.fixture
def live(dockerd, criu, config):
    """What root does for nova-compute, as the unit of nova-compute bounds it."""
    found, options = live_engine.prepare(dockerd, criu, shlex.join(_bounded()))
    config(**options, group="docker")
    return found


def test_a_server_is_dumped_launched_suspended_and_resumed(blesser, servers):
    servers.driver.live.look()
    assert servers.driver.live.refusal is None
    word = blesser.answer(source := blesser.warm())[0]
    script = f"mkdir -p /etc/fpga-nova; printf '#!/bin/sh\\ntouch /tmp/began\\n' > {hook.PROGRAM}"
    assert servers.run(source, f"{script}; chmod 755 {hook.PROGRAM}")[0] == 0
    clone = blesser.launch(blesser.bless(source))
    assert blesser.answer(clone)[:2] == (word, clone.hostname)
    assert servers.run(clone, "ls /tmp/began")[0] == 0
    servers.driver.suspend(servers.context, clone)
    assert servers.driver.get_info(clone).state == power_state.SHUTDOWN
    servers.driver.resume(servers.context, clone, [])
    assert blesser.answer(clone)[0] == word
