# SPDX-License-Identifier: Apache-2.0
"""GPUs are counted by the metadata of aggregates, as seed 003 documents it, without its faults.

The cloud is the one of that service's own test set-up: two GPU hosts of three, two servers.
"""

import typing

import pytest

from fpga_api.availability.refresh import Refresh
from fpga_api.availability.sources.aggregate import AggregateSource
from fpga_api.publication import Publication
from tests.support import api as support
from tests.support.clouds import Nova

_NODE = {"vcpus": 28, "memory_mb": 385534, "local_gb": 7392}
_BUSY = {"vcpus_used": 28, "memory_mb_used": 65536, "local_gb_used": 2051}
_IDLE = {"vcpus_used": 28, "memory_mb_used": 0, "local_gb_used": 0}
_GPU = {"gpu": "True", "gpu_count": "2", "gpu_type": "V100"}
_PRIVATE = {"os-flavor-access:is_public": False, "swap": 1024, "disk": 50}

MEDIUM = "a54ed137-04fe-463f-a2b0-666079d1b2ba"
LARGE = "4e6428f5-a0ec-4450-8f38-112236f056da"
TWO = "9a8a5bfc-001e-469b-a787-ddbbc2ea8483"
EXPECTED = {MEDIUM: (3, 4), LARGE: (3, 4), TWO: (1, 2)}


def alias(value: str) -> dict[str, str]:
    return {"pci_passthrough:alias": value}


@pytest.fixture
def nova() -> Nova:
    nova = Nova()
    nova.add_flavor("plain", "de.NBI large", vcpus=28, ram=65536)
    for flavor_id, name, vcpus, ram, devices in (
        (MEDIUM, "de.NBI GPU V100 medium", 14, 65535, "V100:1"),
        (LARGE, "de.NBI GPU V100 large", 28, 131072, "V100:1"),
        (TWO, "de.NBI 2 GPU V100 large", 28, 262144, "V100:2"),
    ):
        sizes: dict[str, typing.Any] = {"vcpus": vcpus, "ram": ram, **_PRIVATE}
        nova.add_flavor(flavor_id, name, extra_specs=alias(devices), **sizes)
        nova.documents["compute", f"/flavors/{flavor_id}/os-flavor-access"] = {
            "flavor_access": [{"flavor_id": flavor_id, "tenant_id": support.PROJECT}]
        }
    nova.add_host("host1", node=_NODE | _BUSY | {"disk_available_least": 7112})
    nova.add_host("host3", node=_NODE | _BUSY | {"disk_available_least": 4959})
    nova.add_host("host4", node=_NODE | _IDLE | {"disk_available_least": 7392})
    nova.add_servers("host1", {})
    nova.add_servers("host3", alias("V100:1"))
    nova.aggregates += [
        {"name": "General Purpose", "hosts": ["host1"], "metadata": {"cores": "28"}},
        {"name": "GPU V100", "hosts": ["host3", "host4"], "metadata": dict(_GPU)},
    ]
    return nova


def counts(nova: Nova, **options: typing.Any) -> dict[str, typing.Any]:
    """Free and total by flavor, or the code of its error."""
    nova.update()
    conf = support.configuration(availability=options)
    source = AggregateSource(nova.cloud(), conf)
    refresh = Refresh(nova.cloud(), conf, Publication.of(conf), {"aggregate": source})
    return {
        one["id"]: one["error"]["code"] if one["error"] else (one["free"], one["total"])
        for one in refresh.count()["flavors"]
    }


def test_counts_are_those_of_the_documented_set_up(nova: Nova) -> None:
    assert counts(nova) == EXPECTED


def test_hosts_without_gpus_and_their_servers_are_not_asked_for(nova: Nova) -> None:
    counts(nova)
    assert not [path for _, path in nova.asked if "host1" in path]


def test_flavor_without_a_disk_is_limited_by_the_rest(nova: Nova) -> None:
    nova.add_flavor("bfv", "bfv", extra_specs=alias("V100:1"), vcpus=14, ram=65535, disk=0)
    assert counts(nova) == {**EXPECTED, "bfv": (3, 4)}


def test_flavor_of_two_aliases_needs_hosts_with_both(nova: Nova) -> None:
    nova.add_flavor("both", "both", extra_specs=alias("V100:1,A100:1"))
    assert counts(nova) == {**EXPECTED, "both": (0, 0)}
    metadata = {**_GPU, "gpu_type": "A100", "gpu_count": "1"}
    nova.aggregates.append({"name": "more", "hosts": ["host4"], "metadata": metadata})
    assert counts(nova) == {**EXPECTED, "both": (1, 1)}


def test_host_may_have_a_full_name(nova: Nova) -> None:
    nova.add_host("host5.denbi.de", node=_NODE | _IDLE)
    nova.aggregates[1]["hosts"].append("host5.denbi.de")
    assert counts(nova) == {MEDIUM: (5, 6), LARGE: (5, 6), TWO: (2, 3)}


def test_disabled_flavor_is_not_listed(nova: Nova) -> None:
    nova.flavors[2]["OS-FLV-DISABLED:disabled"] = True
    assert counts(nova).keys() == {MEDIUM, TWO}


@pytest.mark.parametrize("value", ["False", "0", "no", ""])
def test_aggregate_that_says_that_it_has_none_has_none(nova: Nova, value: str) -> None:
    nova.aggregates[1]["metadata"]["gpu"] = value
    assert counts(nova) == {}


def test_host_in_two_aggregates_counts_once(nova: Nova) -> None:
    nova.aggregates.append({"name": "again", "hosts": ["host3"], "metadata": dict(_GPU)})
    assert counts(nova) == EXPECTED


def test_other_devices_of_servers_are_no_gpus(nova: Nova) -> None:
    nova.add_servers("host3", alias("V100:1"), alias("nic:2"), alias("broken"))
    assert counts(nova) == EXPECTED


def test_server_of_a_deleted_flavor_has_its_gpu(nova: Nova) -> None:
    nova.add_servers("host4", alias("V100:2"))
    assert counts(nova)[MEDIUM] == (1, 4)


@pytest.mark.parametrize(("state", "status"), [("down", "enabled"), ("up", "disabled")])
def test_host_that_takes_no_servers_counts_for_nothing(nova: Nova, state: str, status: str) -> None:
    nova.services[2] |= {"state": state, "status": status}
    assert counts(nova) == {MEDIUM: (1, 2), LARGE: (1, 2), TWO: (0, 1)}


def test_bad_flavor_and_bad_aggregate_spoil_nothing(nova: Nova) -> None:
    nova.add_flavor("bad", "bad", extra_specs=alias("V100"))
    nova.aggregates.append(
        {"name": "x", "hosts": ["host1"], "metadata": {**_GPU, "gpu_count": "?"}}
    )
    assert counts(nova) == {**EXPECTED, "bad": "fpga.flavor_invalid"}


def test_alias_that_no_aggregate_has_is_of_another_source(nova: Nova) -> None:
    nova.add_flavor("nic", "nic", extra_specs=alias("nic:1"))
    assert counts(nova) == EXPECTED


def test_aggregates_of_extra_specs_limit_a_flavor(nova: Nova) -> None:
    nova.flavors[1]["extra_specs"]["aggregate_instance_extra_specs:ssd"] = "<or> yes <or> true"
    assert counts(nova)[MEDIUM] == (0, 0)
    assert counts(nova, aggregate_extra_specs=False)[MEDIUM] == (3, 4)
    nova.aggregates.append({"name": "ssd", "hosts": ["host4"], "metadata": {"ssd": "true,fast"}})
    assert counts(nova)[MEDIUM] == (2, 2)
