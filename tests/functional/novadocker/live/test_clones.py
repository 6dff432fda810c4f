# SPDX-License-Identifier: Apache-2.0
"""A clone learns that it is one, and its hook makes new what must be its own."""

import json
import pathlib

import nova.conf
import pytest
from nova import objects
from nova.compute import power_state

from novadocker import errors
from novadocker.clone_file import TARGET
from novadocker.live import hook
from tests.functional.novadocker.live.conftest import LOOP

CONF = nova.conf.CONF

#: The time limit of a hook, where it is not to be waited for.
_SHORT = (
    "from novadocker.live import command, hook; hook.LIMIT = hook._GRACE = 2; "
    "raise SystemExit(command.main())"
)
#: What a process may do, and where it is.
_CONFINEMENT = (
    "grep -E '^(Uid|Gid|CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; "
    "cat /proc/self/cgroup; ls -l /proc/self/ns | sed 's/.*> //' | grep -v ^time:"
)
#: The clocks of a process, and those of the server.
_CLOCKS = "readlink /proc/self/ns/time; readlink /proc/1/ns/time"


@pytest.fixture(autouse=True)
def _audited(live, servers):
    """The host knows that it can dump and restore."""
    servers.driver.live.look()


def _content(servers, instance):
    status, text = servers.run(instance, f"cat {TARGET}")
    assert status == 0
    return json.loads(text)


def _install(servers, instance, script):
    """Put a hook into a server."""
    status = servers.run(
        instance,
        f"mkdir -p /etc/fpga-nova && cat > {hook.PROGRAM} <<'END'\n#!/bin/sh\n{script}\nEND\n"
        f"chmod 755 {hook.PROGRAM}",
    )
    assert status[0] == 0


def test_a_clone_learns_whose_memory_it_has_before_it_goes_on(blesser, servers):
    # The file is open while the server is dumped.
    source = blesser.warm(f"exec 3< {TARGET}; {LOOP}")
    first = _content(servers, source)
    assert (first["server"], first["image"], first["source"]) == (source.uuid, None, None)
    image_id = blesser.bless(source)
    generations = {first["generation"]}
    for _ in range(2):
        clone = blesser.launch(image_id)
        found = _content(servers, clone)
        assert (found["server"], found["image"], found["source"]) == (
            clone.uuid,
            image_id,
            source.uuid,
        )
        generations.add(found["generation"])
        assert servers.run(clone, f"echo > {TARGET}")[0] != 0
    assert len(generations) == 3
    assert _content(servers, source) == first
    # It is what it was launched as after a cold start, too; a deleted one leaves nothing.
    servers.driver.power_off(clone)
    servers.driver.power_on(servers.context, clone, [])
    assert _content(servers, clone) == found
    folder = pathlib.Path(CONF.instances_path, clone.uuid)
    assert folder.is_dir()
    servers.destroy(clone)
    assert not folder.exists()


def test_the_hook_has_run_before_a_launch_ends_confined_as_the_clone(blesser, servers):
    source = blesser.warm()
    _install(
        servers,
        source,
        f"{{ {_CONFINEMENT}; }} > /tmp/confinement\n{{ {_CLOCKS}; }} > /tmp/clocks\n"
        f"cp {TARGET} /tmp/clone.json",
    )
    clone = blesser.launch(blesser.bless(source))
    content = servers.run(clone, "cat /tmp/clone.json")[1]
    assert json.loads(content)["server"] == clone.uuid
    status, confinement = servers.run(clone, "cat /tmp/confinement")
    assert status == 0
    assert confinement == servers.run(clone, _CONFINEMENT)[1]
    assert "NoNewPrivs:\t1\nSeccomp:\t2\n" in confinement
    # What the engine executes there has the clocks of the host.
    own, first = servers.run(clone, "cat /tmp/clocks")[1].split()
    assert own == first
    assert servers.run(source, "ls /tmp/confinement")[0] == 1


def _groups(servers, instance):
    """The control groups that a server sees mounted, without its own id."""
    lines = servers.run(instance, "grep ' - cgroup ' /proc/self/mountinfo")[1].splitlines()
    own = servers.container(instance).id
    return {line.split()[4]: line.split()[3].replace(own, "OWN") for line in lines}


def test_a_clone_and_a_server_that_was_suspended_see_their_own_control_groups(blesser, servers):
    source = blesser.warm()
    seen = _groups(servers, source)
    if not seen:
        pytest.skip("the host has cgroup v2")
    assert all(path.endswith("OWN") for path in seen.values())
    clone = blesser.launch(blesser.bless(source))
    assert _groups(servers, clone) == seen
    servers.driver.suspend(servers.context, source)
    servers.driver.resume(servers.context, source, [])
    assert _groups(servers, source) == seen
    # A clone of a clone has them, too.
    assert _groups(servers, blesser.launch(blesser.bless(clone))) == seen


@pytest.mark.parametrize("script", ["trap '' TERM; sleep 9997", "sleep 9997 & exit 3"])
def test_a_hook_harms_nobody(blesser, servers, live, script):
    source = blesser.warm()
    _install(servers, source, f"echo > /tmp/began\n{script}")
    program = pathlib.Path(CONF.docker.live_exec)
    text = program.read_text().replace("-m novadocker.live.command", f"-c '{_SHORT}'")
    program.write_text(text)
    clone = blesser.launch(blesser.bless(source))
    assert servers.driver.get_info(clone).state == power_state.RUNNING
    assert servers.run(clone, "ls /tmp/began")[0] == 0
    # Nothing of the hook is in the way of another blessing.
    word = blesser.answer(source)[0]
    assert blesser.answer(blesser.launch(blesser.bless(clone)))[0] == word
    assert list(live.work.glob("*")) == []


def test_a_hook_that_cannot_be_executed_is_reported(blesser, servers, caplog):
    source = blesser.warm()
    _install(servers, source, "exit 0")
    assert servers.run(source, f"chmod 644 {hook.PROGRAM}")[0] == 0
    clone = blesser.launch(blesser.bless(source))
    assert servers.driver.get_info(clone).state == power_state.RUNNING
    assert "did not succeed" in caplog.text
    assert "permission denied" in caplog.text


def test_no_server_stays_whose_hook_the_host_did_not_run(blesser, servers):
    image_id = blesser.bless(blesser.warm())
    program = pathlib.Path(CONF.docker.live_exec)
    lines = program.read_text().splitlines()
    refusal = 'case "$1" in hook) echo "Error: runc is gone" >&2; exit 1;; esac'
    program.write_text("\n".join([lines[0], refusal, *lines[1:], ""]))
    clone = blesser.instance(image_id)
    image = objects.ImageMeta.from_dict(blesser.glance.images[image_id][0])
    with pytest.raises(errors.NoLiveImage, match="runc is gone"):
        servers.spawn(clone, image)
    assert f"nova-{clone.uuid}" not in {
        container.name for container in servers.client.containers.list(all=True)
    }


def test_a_link_at_its_place_leads_nowhere_on_the_host(blesser, servers, glance, tmp_path):
    target = tmp_path / "host"
    target.mkdir()
    live = servers.driver.live
    live.refusal = "not now"
    plain = blesser.warm()
    assert servers.run(plain, f"mkdir /run; ln -s ../../../../..{target} /run/fpga-nova")[0] == 0
    image_id = glance.empty()
    servers.driver.snapshot(servers.context, plain, image_id, lambda *states, **more: None)
    live.refusal = None
    image = objects.ImageMeta.from_dict(glance.images[image_id][0])
    source = blesser.boot(image)
    clone = blesser.launch(blesser.bless(source))
    assert _content(servers, clone)["server"] == clone.uuid
    assert list(target.iterdir()) == []
