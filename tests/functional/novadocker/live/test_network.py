# SPDX-License-Identifier: Apache-2.0
"""A clone has a network of its own, with a real switch."""

import pytest
from nova import objects

from tests.functional.novadocker.network import ports
from tests.functional.novadocker.network.conftest import host, virtapi  # noqa: F401 - fixtures
from tests.functional.novadocker.network.switch import plugging

#: Answers on a port by a word of its memory.
_LOOP = (
    "word=$(cat /proc/sys/kernel/random/uuid); "
    "while :; do echo $word $(hostname) | nc -l -p 8080; done"
)


@pytest.fixture(scope="session")
def switch(request, dockerd):
    """The switch of this engine; a process has one, which os-vif knows from its start."""
    if any(item.path.parent.name == "network" for item in request.session.items):
        pytest.skip("the tests of networks have another switch; run 'make test-live'")
    with plugging(dockerd.folder / "exec" / "netns") as found:
        yield found


def _ask(servers, peer, address):
    """What a server answers to another."""
    for _ in range(20):
        text = servers.run(peer, f"nc -w 5 {address} 8080 < /dev/null")[1].split()
        if len(text) == 2:
            return text
    raise AssertionError(f"{address} does not answer")


def test_a_clone_serves_at_its_own_address_and_its_source_at_its_own(
    blesser,
    servers,
    glance,
    host,  # noqa: F811
    virtapi,  # noqa: F811
):
    def boot(instance, image, address):
        servers.spawn(instance, image, network_info=ports.info(ports.vif(address)))
        booted.append(instance)
        return instance

    booted = []
    data = glance.images[servers.image.id][1]
    try:
        peer = boot(servers.instance(), servers.image, "10.20.0.9")
        image = glance.add(data, properties={"os_command_line": f'sh -c "{_LOOP}"'})
        source = servers.instance(project_id="project")
        source.system_metadata = servers.system_metadata(image)
        boot(source, image, "10.20.0.5")
        word, name = _ask(servers, peer, "10.20.0.5")
        assert name == source.hostname

        image_id = blesser.bless(source)
        clone = blesser.instance(image_id)
        live = objects.ImageMeta.from_dict(glance.images[image_id][0])
        boot(clone, live, "10.20.0.6")
        # Its first answer was in a pipe when it was dumped.
        assert _ask(servers, peer, "10.20.0.6")[0] == word
        assert _ask(servers, peer, "10.20.0.6") == [word, clone.hostname]
        assert _ask(servers, peer, "10.20.0.5") == [word, source.hostname]
        assert "10.20.0.6" in servers.run(clone, "cat /etc/hosts")[1]
    finally:
        for instance in booted:
            servers.destroy(instance)
