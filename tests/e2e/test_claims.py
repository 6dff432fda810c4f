# SPDX-License-Identifier: Apache-2.0
"""Claims on the demo cloud: of its administrator, beside the servers of its ordinary user."""

import concurrent.futures
import time
import typing

import pytest
from cloud import Cloud, CloudError

from tests.e2e.fpga import Fpga, wait

pytestmark = pytest.mark.e2e

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


def test_many_claims_at_once_are_as_many_as_there_are_regions(cloud: Cloud, operator: Fpga) -> None:
    import scenario

    api = scenario.Walk(cloud).api
    session = cloud.api.session

    def claim(_number: int) -> int:
        answer = session.post(
            "/v1/claims",
            json={"ttl": 600},
            endpoint_filter={"service_type": "fpga"},
            raise_exc=False,
        )
        return int(answer.status_code)

    assert api.get("/v1/availability").status_code == 200
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = set(pool.map(claim, range(40)))
    assert codes <= {202, 409}
    wait(lambda: sorted({one["State"] for one in operator("claim", "list")} & {"programming"}), [])
    active = [one for one in operator("claim", "list") if one["State"] == "active"]
    assert len(active) == 2
