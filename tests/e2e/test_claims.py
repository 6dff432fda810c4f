# SPDX-License-Identifier: Apache-2.0
"""Claims on the demo cloud: of its administrator, beside the servers of its ordinary user."""

import concurrent.futures
import configparser
import io
import time
import typing

import pytest
from cloud import Cloud, CloudError
from keystoneauth1 import adapter

from tests.e2e.fpga import Fpga, wait

pytestmark = pytest.mark.e2e

#: A service whose threads wait for Keystone and Placement refuses what would wait, too.
BUSY = 503
#: Seconds between two audits of nova-compute, and some more.
_AUDIT = 90


@pytest.fixture
def operator(cloud: Cloud) -> typing.Iterator[Fpga]:
    """The administrator; whatever a test claims is given back."""
    found = Fpga(cloud)
    yield found
    live = [one for one in found("claim", "list") if one["State"] in ("active", "programming")]
    for one in live:
        cloud.run("openstack", "fpga", "claim", "delete", one["ID"], "--wait")


def test_claim_has_a_region_that_no_server_gets(cloud: Cloud, user: Fpga, operator: Fpga) -> None:
    claims = [operator("claim", "create", "--ttl", "600", "--wait") for _ in range(2)]
    assert [one["State"] for one in claims] == ["active"] * 2
    assert len({one["Region"] for one in claims}) == 2
    with pytest.raises(CloudError, match="no accelerator that fits is free"):
        operator("claim", "create")
    wait(lambda: user.free("fpga-lzo"), 0)
    server = user.cloud.boot("late", "fpga-lzo")
    try:
        assert server.status == "ERROR"
    finally:
        user.cloud.delete(server.id)
    for one in claims:
        cloud.run("openstack", "fpga", "claim", "delete", one["ID"], "--wait")
    assert cloud.status() == "Used regions: 0/2"
    wait(lambda: user.free("fpga-lzo"), 2)


def test_claim_with_a_bitstream_is_programmed(cloud: Cloud, operator: Fpga) -> None:
    claim = operator("claim", "create", "--bitstream", "packbits", "--wait", "--ttl", "600")
    region = cloud.region_of(claim["ID"]) or {}
    assert (region["id"], region["function"]) == (claim["Region"], "packbits")
    assert claim["Nodes"][0]["path"]


def test_claim_that_expires_while_engine_and_host_are_down_is_free_after_one_audit(
    cloud: Cloud, operator: Fpga
) -> None:
    claim = operator("claim", "create", "--ttl", "600", "--wait")["ID"]
    for name in ("fpga-api-engine", "nova-compute"):
        cloud.stop(name)
    try:
        cloud.run("openstack", "fpga", "claim", "set", "--ttl", "5", claim)
        time.sleep(6)
    finally:
        for name in ("fpga-api-engine", "nova-compute"):
            cloud.start(name)
    start = time.monotonic()
    wait(lambda: operator("claim", "show", claim)["State"], "expired")
    wait(cloud.status, "Used regions: 0/2")
    assert time.monotonic() - start < _AUDIT
    assert not cloud.allocations_of(claim)


@pytest.fixture
def limited(cloud: Cloud) -> typing.Iterator[str]:
    """The service asks Keystone for the limit of claims; the limit's service, which has none."""
    file = cloud.folder / "etc" / "fpga-api" / "fpga-api.conf"
    before = file.read_text()
    configuration = configparser.RawConfigParser(strict=False)
    configuration.read_string(before)
    account = {name.lower(): value for name, value in cloud.environment.items()}
    names = ("auth_url", "username", "password", "user_domain_name")
    options = {name: account[f"os_{name}"] for name in names}
    options |= {"auth_type": "password", "system_scope": "all"}
    identity = cloud.api.identity
    (service,) = identity.services(type="fpga")
    endpoint = next(iter(identity.endpoints(service_id=service.id, interface="public")))
    options["endpoint_id"] = endpoint.id
    configuration.read_dict({"claims": {"unified_limits": "true"}, "oslo_limit": options})
    text = io.StringIO()
    configuration.write(text)
    file.write_text(text.getvalue())
    try:
        cloud.stop("fpga-api")
        cloud.start("fpga-api")
        yield service.id
    finally:
        for one in identity.registered_limits(resource_name="fpga_claims"):
            identity.delete_registered_limit(one)
        file.write_text(before)
        cloud.stop("fpga-api")
        cloud.start("fpga-api")


def test_keystone_limits_the_claims_of_a_project(
    cloud: Cloud, operator: Fpga, limited: str
) -> None:
    with pytest.raises(CloudError, match="has 0 claims, and may have 0"):
        operator("claim", "create")
    cloud.api.identity.create_registered_limit(
        resource_name="fpga_claims", service_id=limited, region_id="RegionOne", default_limit=1
    )
    codes = _claims(cloud, 4, 50)
    assert {202, 413} <= set(codes) <= {202, 413, BUSY}
    assert codes.count(202) == 1
    with pytest.raises(CloudError, match="has 1 claims, and may have 1"):
        operator("claim", "create")


def test_many_claims_at_once_are_as_many_as_there_are_regions(cloud: Cloud, operator: Fpga) -> None:
    assert set(_claims(cloud, 8, 40)) <= {202, 409, BUSY}
    wait(lambda: sorted({one["State"] for one in operator("claim", "list")} & {"programming"}), [])
    active = [one for one in operator("claim", "list") if one["State"] == "active"]
    assert len(active) == 2


def _claims(cloud: Cloud, threads: int, number: int) -> list[int]:
    """The statuses of the answers to so many requests for a claim at once."""
    api = adapter.Adapter(cloud.api.session, service_type="fpga", raise_exc=False)

    def claim(_number: int) -> int:
        return int(api.post("/v1/claims", json={"ttl": 600}).status_code)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(claim, range(number)))
