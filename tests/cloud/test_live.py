# SPDX-License-Identifier: Apache-2.0
"""A server becomes a live image on one host, and other hosts make servers of its memory."""

import collections.abc
import dataclasses
import pathlib
import re
import typing
import uuid

import pytest

from tests.cloud.conftest import HOSTS
from tests.cloud.site import FOLDER, INSTALL, NETWORKS
from tests.cloud.test_networks import NETWORK
from tests.cloud.users import CloudOfHosts, counts, wait_for

pytestmark = pytest.mark.skipif(not NETWORKS, reason="this cloud has no networks")

FIRST, SECOND = "compute1", "compute2"
_TRAIT = "CUSTOM_LIVE_IMAGE"

#: Where this machine and the hosts have builds of CRIU.
_BUILDS = pathlib.Path("/var/cache/fpga-nova/criu")
_FETCHED = f"ls {FOLDER}/state/*/nova-compute/live/images"

#: Remembers a word, and gives it and the host's name to whoever asks. The first answer of a clone
#: was in a pipe when its source was dumped.
_PORT = 8080
_LOOP = (
    "word=$(cat /proc/sys/kernel/random/uuid); "
    f"while :; do echo $word $(hostname) | nc -l -p {_PORT}; done"
)

#: Seconds that a dump or a fetch of one may take on a busy machine.
_PATIENCE = 300


def _bring_criu(cloud: CloudOfHosts, host: str) -> None:
    """Have a host use this machine's build of CRIU; one that cannot run it builds its own."""
    for build in sorted(_BUILDS.glob("[0-9]*/criu"))[-1:]:
        line = f"mkdir -p {build.parent} && cat > {build} && chmod 755 {build}"
        cloud.site.pipe(host, line, build.read_bytes())


def _hosts_with_live_images(cloud: CloudOfHosts) -> set[str]:
    query = f"/resource_providers?required={_TRAIT}"
    # Before any host has the trait, Placement refuses its name.
    answer = cloud.api.placement.get(query, microversion="1.18").json()
    return {one["name"] for one in answer.get("resource_providers", ())}


@dataclasses.dataclass(frozen=True)
class Live:
    """A cloud whose compute hosts have live images and a region each.

    :param image: whose servers answer with a word that only their memory has
    """

    cloud: CloudOfHosts
    image: str

    def create(self, flavor: str, host: str, image: str | None = None) -> typing.Any:
        """A server on a host; of another image if there is one."""
        network = self.cloud.api.network.find_network(NETWORK, ignore_missing=False)
        asked = [{"uuid": network.id}]
        server = self.cloud.create(flavor, host, asked, image_id=image or self.image)
        found = self.cloud.settled(server, seconds=_PATIENCE)
        assert (found.status, found.compute_host) == ("ACTIVE", host), self.cloud.fault(server)
        return found

    def answer(self, asker: typing.Any, server: typing.Any) -> list[str]:
        """The word and the name that a server gives to another one at its address."""
        (port,) = self.cloud.api.network.ports(device_id=server.id)
        address = port.fixed_ips[0]["ip_address"]
        line = f"exec nova-{asker.id} nc -w 5 {address} {_PORT}"
        return self.cloud.docker(asker.compute_host, line, check=False).split()

    def waits_for_answer(self, asker: typing.Any, server: typing.Any) -> list[str]:
        """The same, once the server answers."""
        what = f"{server.name} answers"
        return list(wait_for(what, lambda: self.answer(asker, server)))

    def bless(self, server: typing.Any) -> str:
        """A live image of a server, which goes on; the image's id."""
        image = self.cloud.api.compute.create_server_image(
            server.id,
            f"live-{uuid.uuid4().hex[:8]}",
            metadata={"live_image": "true"},
            wait=True,
            timeout=_PATIENCE,
        )
        assert image.container_format == "live", self.cloud.log(server.compute_host)[-3000:]
        assert self.cloud.settled(server.id).status == "ACTIVE"
        return str(image.id)


@pytest.fixture(scope="module")
def live(cloud: CloudOfHosts) -> collections.abc.Iterator[Live]:
    """The file of the cloud has live images for a while, where the hosts can dump."""
    cloud.delete(*cloud.servers())
    nodes = {one.name: one for one in HOSTS}
    nodes[SECOND] = dataclasses.replace(nodes[SECOND], regions=1)
    for host in (FIRST, SECOND):
        _bring_criu(cloud, host)
    settings = {"install": INSTALL, "live_images": True}
    cloud.site.describe(*nodes.values(), configuration=settings)
    refusals = re.findall("No live images on this host: .*", cloud.site.up())
    if not refusals:
        both = {FIRST, SECOND}
        wait_for("both have them", lambda: _hosts_with_live_images(cloud) >= both)
        images = cloud.api.image
        plain = images.find_image("ubuntu_lzo", ignore_missing=False)
        warm = images.create_image(
            f"warm-{uuid.uuid4().hex[:8]}",
            data=images.download_image(plain).content,
            container_format="docker",
            disk_format="raw",
            os_command_line=f'sh -c "{_LOOP}"',
        )
        yield Live(cloud, warm.id)
        cloud.delete(*cloud.servers())
        images.delete_image(warm)
    _switch_off(cloud)
    if refusals:
        pytest.skip("; ".join(refusals))


def _switch_off(cloud: CloudOfHosts) -> None:
    cloud.site.describe(*HOSTS)
    found = counts(cloud.site.up())
    assert {figures[2] for figures in found.values()} == {0}
    wait_for("no host has live images", lambda: not _hosts_with_live_images(cloud))


def test_server_of_a_live_image_runs_on_a_host_that_never_saw_its_source(live: Live) -> None:
    cloud = live.cloud
    source, asker = live.create("small", FIRST), live.create("small", SECOND)
    word, name = live.waits_for_answer(asker, source)
    assert name == source.name
    image = live.bless(source)
    assert cloud.site.ask(SECOND, _FETCHED) == ""

    clone = live.create("small", SECOND, image)
    assert len(cloud.site.ask(SECOND, _FETCHED).split()) == 1
    assert live.waits_for_answer(source, clone)[0] == word
    assert live.waits_for_answer(source, clone) == [word, clone.name]
    assert live.waits_for_answer(clone, source) == [word, source.name]
    assert live.waits_for_answer(source, asker)[0] != word

    # And back: each host trusts the other.
    again = live.bless(clone)
    second = live.create("small", FIRST, again)
    for one in (image, again):
        cloud.api.image.delete_image(one)
    assert live.waits_for_answer(asker, second)[0] == word
    assert live.waits_for_answer(asker, second) == [word, second.name]
    assert live.waits_for_answer(asker, clone) == [word, clone.name]
    cloud.delete(source.id, clone.id, second.id, asker.id)
    wait_for("nothing is left", lambda: cloud.is_clean(FIRST, SECOND))


def test_clone_has_a_region_of_its_own_host(live: Live) -> None:
    cloud = live.cloud
    source = live.create("fpga-lzo", FIRST)
    image = live.bless(source)
    clone = live.create("fpga-lzo", SECOND, image)
    assert live.waits_for_answer(source, clone)[0] == live.waits_for_answer(clone, source)[0]
    for host, server in ((FIRST, source), (SECOND, clone)):
        assert cloud.owners(host) == [server.id]
        assert 0 < cloud.compressed(host, server.id) < 500
    cloud.delete(source.id)
    wait_for("its region is free", lambda: cloud.owners(FIRST) == [])
    assert 0 < cloud.compressed(SECOND, clone.id) < 500
    cloud.api.image.delete_image(image)
    cloud.delete(clone.id)
    wait_for("nothing is left", lambda: cloud.is_clean(FIRST, SECOND))


def test_server_starts_again_on_a_host_that_has_no_live_images_any_more(live: Live) -> None:
    cloud, compute = live.cloud, live.cloud.api.compute
    source = live.create("small", FIRST)
    image = live.bless(source)
    clone = live.create("small", FIRST, image)
    cloud.api.image.delete_image(image)
    word = live.waits_for_answer(source, clone)[0]
    _switch_off(cloud)
    assert live.waits_for_answer(source, clone)[0] == word
    for server in (source, clone):
        compute.stop_server(server.id)
        cloud.settled(server.id, "SHUTOFF")
        compute.start_server(server.id)
        assert cloud.settled(server.id, "ACTIVE", "SHUTOFF").status == "ACTIVE"
    # Without live images, a start is an ordinary one.
    assert word not in live.waits_for_answer(source, clone)
    assert live.waits_for_answer(source, clone)[1] == clone.name
    cloud.delete(source.id, clone.id)
