# SPDX-License-Identifier: Apache-2.0
"""Which claims Placement says are alive on this host; what it does not say is not concluded."""

import typing
from types import SimpleNamespace

import pytest
from keystoneauth1 import exceptions as ksa_exceptions
from nova import exception
from nova.scheduler.client import report

from fpga_hooks.placement import claims
from tests.unit.fpga_hooks.conftest import OWNER

NODE, CARD, ELSEWHERE = "node-uuid", "card-uuid", "other-uuid"

REAL = claims.may_have_region_here


class Placement:
    """Answers by URL.

    :ivar allocations: what the claim has
    :ivar status: of each answer
    """

    def __init__(self) -> None:
        self.allocations: dict[str, typing.Any] = {}
        self.status = 200

    def get(self, url: str, version: str) -> typing.Any:
        if self.status == 0:
            raise ksa_exceptions.ConnectFailure
        providers = {"resource_providers": [{"uuid": NODE}, {"uuid": CARD}]}
        answer = self.allocations if url == f"/allocations/{OWNER}" else providers
        return SimpleNamespace(status_code=self.status, json=lambda: answer)


@pytest.fixture
def placement(monkeypatch: pytest.MonkeyPatch) -> Placement:
    placement = Placement()
    nodes = SimpleNamespace(get_all_by_host=lambda *_: [SimpleNamespace(uuid=NODE)])
    monkeypatch.setattr(report, "report_client_singleton", lambda: placement)
    monkeypatch.setattr(claims, "objects", SimpleNamespace(ComputeNodeList=nodes))
    return placement


def allocated(
    provider: str, kind: str = "FPGA_CLAIM", of: str = "CUSTOM_FPGA_REGION"
) -> dict[str, typing.Any]:
    return {"allocations": {provider: {"resources": {of: 1}}}, "consumer_type": kind}


@pytest.mark.parametrize("of", ["CUSTOM_FPGA_REGION", "CUSTOM_FPGA_INTEL_PF"])
@pytest.mark.parametrize("provider", [NODE, CARD])
def test_claim_with_an_allocation_of_this_host_is_alive(
    placement: Placement, provider: str, of: str
) -> None:
    placement.allocations = allocated(provider, of=of)
    assert claims.has_region_here(OWNER)


@pytest.mark.parametrize(
    "allocations",
    [
        {"allocations": {}},
        allocated(ELSEWHERE),
        allocated(NODE, "INSTANCE"),
        allocated(NODE, of="VCPU"),
    ],
)
def test_anything_else_is_none(placement: Placement, allocations: dict[str, typing.Any]) -> None:
    placement.allocations = allocations
    assert not claims.has_region_here(OWNER)
    assert not REAL(OWNER)


@pytest.mark.parametrize("status", [0, 401, 404, 503])
def test_what_is_not_known_is_kept(placement: Placement, status: int) -> None:
    placement.status = status
    with pytest.raises(claims.UnansweredError):
        claims.has_region_here(OWNER)
    assert REAL(OWNER)


def test_host_without_a_node_does_not_know(
    placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    placement.allocations = allocated(NODE)

    def no_node(*_arguments: typing.Any) -> typing.NoReturn:
        raise exception.ComputeHostNotFound(host="node")

    nodes = SimpleNamespace(get_all_by_host=no_node)
    monkeypatch.setattr(claims, "objects", SimpleNamespace(ComputeNodeList=nodes))
    assert REAL(OWNER)
