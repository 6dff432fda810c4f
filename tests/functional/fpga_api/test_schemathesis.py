# SPDX-License-Identifier: Apache-2.0
"""The API holds to its own description, whatever is asked: all checks of schemathesis."""

import contextlib
import typing

import pytest
import requests_mock
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection

from fpga_api.db import schema as database_schema
from tests.support import api as support
from tests.support import bitstreams, glance
from tests.support.placement import Placement
from tests.unit.fpga_api.handlers import test_availability, test_hosts

NOVA, PLACEMENT = "http://nova.test", "http://placement.test"
LIMITS = {
    "maxTotalInstances": 10,
    "totalInstancesUsed": 1,
    "maxTotalCores": 20,
    "totalCoresUsed": 1,
    "maxTotalRAMSize": 51200,
    "totalRAMUsed": 512,
}

# A package is a zip of a kind that no generator finds.
schemathesis.openapi.media_type("application/zip", st.just(bitstreams.package()))


pytestmark = pytest.mark.xdist_group("glance")


@pytest.fixture(scope="module")
def description(glance_url: str, tmp_path_factory: pytest.TempPathFactory) -> typing.Any:
    """The description, of an application that has everything behind it."""
    catalogue = {"image": glance_url, "compute": NOVA, "placement": PLACEMENT}
    folder = tmp_path_factory.mktemp("fpga")
    database = {"connection": f"sqlite:///{folder}/fpga.sqlite"}
    service = glance.service_of(catalogue, database=database)
    database_schema.sync(service.database)
    service.publication.publish("availability", test_availability.DOCUMENT, 1e6)
    service.publication.publish("hosts", test_hosts.DOCUMENT, 1e6)
    with (
        contextlib.closing(Placement(f"sqlite:///{folder}/placement.sqlite")),
        requests_mock.Mocker(real_http=True) as nova,
        support.Tokens(catalogue),
    ):
        nova.get(f"{NOVA}/flavors/detail", json={"flavors": []})
        nova.get(f"{NOVA}/servers/detail", json={"servers": []})
        nova.get(f"{NOVA}/limits", json={"limits": {"absolute": LIMITS}})
        yield schemathesis.openapi.from_wsgi("/openapi.json", support.Api(service).app)
        admin = support.PERSONAS["admin"].headers
        client = support.Api(service).app.test_client()
        for image in client.get("/v1/bitstreams", headers=admin).json["bitstreams"]:
            client.delete(f"/v1/bitstreams/{image['id']}", headers=admin)


api = schemathesis.pytest.from_fixture("description")


@api.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_route_holds_to_its_description(case: schemathesis.Case) -> None:
    headers = support.PERSONAS["admin"].headers
    response = case.call(headers=headers)
    # A body that is too large is not read, so nobody knows that it is wrong, too.
    passed_over = [negative_data_rejection] if response.status_code == 413 else []
    case.validate_response(response, headers=headers, excluded_checks=passed_over)
