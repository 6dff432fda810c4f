# SPDX-License-Identifier: Apache-2.0
"""One flavor on hosts with different cards, and an evacuation that finds the other bitstream."""

import collections.abc
import dataclasses
import uuid
import zlib

import pytest

from tests.cloud.conftest import HOSTS
from tests.cloud.site import FOLDER
from tests.cloud.users import CloudOfHosts, counts, wait_for
from tests.support import bitstreams

#: The part of each host's card; neither takes a bitstream for the other.
_PARTS = {"compute1": "hx1k", "compute2": "hx8k"}
_TYPE, _TRAIT = "checksum", "CUSTOM_ACCELERATOR_CHECKSUM"
_CONF = f"{FOLDER}/etc/nova/nova-compute.conf"
_INPUT = "123456789"

#: Seconds until an audit has seen a new bitstream, and its trait is in Placement.
_SEEN = 180


@pytest.fixture(scope="module")
def hosts(cloud: CloudOfHosts) -> collections.abc.Iterator[CloudOfHosts]:
    """Two hosts, each with another card, that accept public bitstreams for functions."""
    cards = {one.name: one for one in HOSTS}
    for name, part in _PARTS.items():
        cards[name] = dataclasses.replace(cards[name], part=part, regions=1)
    cloud.site.describe(*cards.values())
    cloud.site.up()
    for host in _PARTS:
        _accept(cloud, host, "public")
    yield cloud
    for host in _PARTS:
        _accept(cloud, host, "")
    cloud.site.describe(*HOSTS)
    assert counts(cloud.site.up())["compute2"][2] == 0


def _accept(cloud: CloudOfHosts, host: str, sources: str) -> None:
    """Set the bitstreams that a host may choose, and have nova-compute read that."""
    line = f"s/^function_bitstreams =.*/function_bitstreams = {sources}/"
    restart = "systemctl restart fpga-nova-nova-compute"
    cloud.site.ask(host, f"grep -q ^function_bitstreams {_CONF} && sed -i '{line}' {_CONF}")
    cloud.site.ask(host, restart)


@pytest.fixture
def images(hosts: CloudOfHosts) -> collections.abc.Iterator[dict[str, str]]:
    """Two public bitstreams of one function by the host that can burn them."""
    images, found = hosts.api.image, {}
    for host, part in _PARTS.items():
        image = images.create_image(
            f"crc32-{part}",
            data=bitstreams.real_package("crc32", part),
            container_format="fpga",
            disk_format="raw",
            visibility="public",
            tags=["FPGA"],
            validate_checksum=True,
            type=_TYPE,
            board="emulator",
            part=part,
        )
        found[host] = image.id
    yield found
    for image in found.values():
        images.delete_image(image)


@pytest.fixture
def flavor(hosts: CloudOfHosts) -> collections.abc.Iterator[str]:
    """Asks for the function, and for no board."""
    compute = hosts.api.compute
    one = compute.create_flavor(name=f"e2e-{uuid.uuid4().hex[:8]}", ram=64, vcpus=1, disk=1)
    compute.create_flavor_extra_specs(one, {"hw:fpga_function": _TYPE})
    yield one.name
    compute.delete_flavor(one)


def _burnt(cloud: CloudOfHosts, host: str) -> list[str]:
    """The bitstream images in the regions of a host that have an owner."""
    return [one["image_id"] for one in cloud.ledger(host) if one["state"] != "free"]


def _checksum(cloud: CloudOfHosts, host: str, server: str) -> str:
    """What the region of a server computes, in hexadecimal digits."""
    script = f"printf {_INPUT} | fpga-client /dev/fpga0 | od -An -tx1"
    return cloud.docker(host, f'exec nova-{server} sh -c "{script}"').replace(" ", "")


def _hosts_with_function(cloud: CloudOfHosts) -> set[str]:
    query = f"/resource_providers?required={_TRAIT}"
    # Before any host has the trait, Placement refuses its name.
    answer = cloud.api.placement.get(query, microversion="1.18").json()
    return {one["name"] for one in answer.get("resource_providers", ())}


def test_one_flavor_computes_the_same_on_either_card_and_after_an_evacuation(
    hosts: CloudOfHosts, images: dict[str, str], flavor: str
) -> None:
    wanted = zlib.crc32(_INPUT.encode()).to_bytes(4, "big").hex()
    wait_for("both can do it", lambda: len(_hosts_with_function(hosts)) == len(_PARTS), _SEEN)
    servers = {host: hosts.boot(flavor, host) for host in _PARTS}
    for host, server in servers.items():
        assert server.status == "ACTIVE", hosts.fault(server.id)
        assert _burnt(hosts, host) == [images[host]]
        assert _checksum(hosts, host, server.id) == wanted
    hosts.delete(servers["compute2"].id)
    moved = servers["compute1"].id

    hosts.site.hosts("kill", "compute1")
    hosts.force_down("compute1")
    hosts.client(f"nova evacuate {moved}")
    hosts.settled(moved, "SHUTOFF")  # since API 2.95
    hosts.api.compute.start_server(moved)
    assert hosts.settled(moved).compute_host == "compute2"
    assert _burnt(hosts, "compute2") == [images["compute2"]]
    assert _checksum(hosts, "compute2", moved) == wanted

    hosts.site.hosts("start", "compute1")
    hosts.force_down("compute1", False)
    wait_for("the dead host is back", lambda: hosts.is_up("compute1"))
    wait_for("its region is erased", lambda: hosts.owners("compute1") == [], 300)
    assert _checksum(hosts, "compute2", moved) == wanted
    hosts.delete(moved)
    wait_for("nothing is left", lambda: hosts.is_clean(*_PARTS))
