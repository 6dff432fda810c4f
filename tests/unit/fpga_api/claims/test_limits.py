# SPDX-License-Identifier: Apache-2.0
"""Keystone's limit of claims, by oslo.limit."""

import pytest
from oslo_config import cfg
from oslo_limit import exception, limit
from oslo_limit import fixture as limit_fixture

from fpga_api.claims import limits
from tests.support import api
from tests.support.claims import Cloud

PROJECT = api.PERSONAS["admin"].project


@pytest.fixture
def limited(cloud: Cloud):
    """A limit of three claims, and one of one for the project of the service."""
    cloud.service.conf.set_override("unified_limits", True, "claims")
    projects = {api.SERVICE_PROJECT: {limits.NAME: 1}}
    with limit_fixture.LimitFixture({limits.NAME: 3}, projects):
        cfg.CONF.set_override("endpoint_id", "e", "oslo_limit")
        yield cloud
        cfg.CONF.clear_override("endpoint_id", "oslo_limit")


def test_project_has_as_many_claims_as_its_limit(limited: Cloud) -> None:
    ids = [limited.claim().json["claim"]["id"] for _ in range(3)]
    answer = limited.claim()
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "fpga.limit_reached")
    assert limited.claim("service").status_code == 202
    assert limited.claim("service").status_code == 413
    limited.api.call("DELETE", f"/v1/claims/{ids[0]}", "admin")
    assert limited.claim().status_code == 413  # until it has given back what it has
    limited.settle(ids[0])
    assert limited.claim().status_code in (202, 409)


def test_keystone_that_does_not_answer_permits_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.service.conf.set_override("unified_limits", True, "claims")

    def fail(*_arguments, **_more):
        raise exception.SessionInitError("no")

    monkeypatch.setattr(limit, "Enforcer", fail)
    answer = cloud.claim()
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "fpga.quota_unavailable")
    assert cloud.allocated() == {}
