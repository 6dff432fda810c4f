# SPDX-License-Identifier: Apache-2.0
"""A clone has a network of its own, with a real switch."""

from nova import objects

from tests.functional.novadocker.network import ports
from tests.functional.novadocker.network.conftest import (  # noqa: F401 - fixtures
    host,
    switch,
    virtapi,
)

#: Holds a connection to the peer, and answers on a port of its own by a word of its memory.
_LOOP = (
    "word=$(cat /proc/sys/kernel/random/uuid); sleep 9999 | nc 10.20.0.9 9000 & "
    "while :; do echo $word $(hostname) | nc -l -p 8080; done"
)


def _ask(servers, peer, address):
    """What a server answers to another."""
    for _ in range(20):
        text = servers.run(peer, f"nc -w 5 {address} 8080 < /dev/null")[1].split()
        if len(text) == 2:
            return text
    raise AssertionError(f"{address} does not answer")


def test_a_clone_serves_at_its_own_address_and_its_connections_close(
    blesser,
    servers,
    glance,
    host,  # noqa: F811
    virtapi,  # noqa: F811
):
    def boot(instance, image, address):
        servers.spawn(instance, image, network_info=ports.info(ports.vif(address)))
        made.append(instance)
        return instance

    made = []
    data = glance.images[servers.image.id][1]
    try:
        peer = boot(servers.instance(), servers.image, "10.20.0.9")
        servers.container(peer).exec_run(
            ["sh", "-c", "while :; do nc -l -p 9000 > /dev/null; done"], detach=True
        )
        image = glance.add(data, properties={"os_command_line": f'sh -c "{_LOOP}"'})
        source = servers.instance(project_id="project")
        source.system_metadata = servers.system_metadata(image)
        boot(source, image, "10.20.0.5")
        word, name = _ask(servers, peer, "10.20.0.5")
        assert name == source.hostname
        connected = "netstat -tn 2> /dev/null | grep ':9000 ' | grep -c ESTABLISHED"
        assert servers.run(source, connected)[1].strip() == "1"

        image_id = blesser.bless(source)
        clone = blesser.instance(image_id)
        live = objects.ImageMeta.from_dict(glance.images[image_id][0])
        boot(clone, live, "10.20.0.6")
        assert _ask(servers, peer, "10.20.0.6") == [word, clone.hostname]
        assert _ask(servers, peer, "10.20.0.5") == [word, source.hostname]
        assert servers.run(source, connected)[1].strip() == "1"
        assert servers.run(clone, connected)[1].strip() == "0"
        assert "10.20.0.6" in servers.run(clone, "cat /etc/hosts")[1]
    finally:
        for instance in made:
            servers.destroy(instance)
