# SPDX-License-Identifier: Apache-2.0
"""Who may do what: each route, and each kind of user.

The handlers are replaced, as what they load is not at hand: each checks its object, where its route
is of an object, which is one of `support.PROJECT`. The tests of a resource try its own handlers.
"""

import dataclasses
import re

import pytest
from oslo_config import cfg

from fpga_api import handlers, service
from fpga_api.routing import Answer, Request, Route
from tests.support import api as support

ROUTES = {route.name: route for route in handlers.list_routes()}

#: "-" is 401, "no" is 403, "gone" is 404. A user of another project has the same roles there.
COLUMNS = ("nobody", *support.PERSONAS)
_WORDS = {"-": 401, "no": 403, "gone": 404, "yes": 204}
TABLE = """
route             | nobody no-role reader member manager admin service other-reader other-member
GET /             | yes    yes     yes    yes    yes     yes   yes     yes          yes
GET /openapi.json | yes    yes     yes    yes    yes     yes   yes     yes          yes
GET /v1/availability | - no yes yes yes yes no yes yes
GET /v1/availability/<flavor> | - no yes yes yes yes no yes yes
GET /v1/availability/<flavor>/history | - no yes yes yes yes no yes yes
GET /gpus/flavors | - no yes yes yes yes no yes yes
GET /gpus/flavors/<flavor> | - no yes yes yes yes no yes yes
GET /v1/cards     | -      no      no     no     yes     yes   no      no           no
GET /v1/cards/<card_id> | - no     no     no     yes     yes   no      no           no
GET /v1/regions   | -      no      yes    yes    yes     yes   no      yes          yes
GET /v1/regions/<region_id> | - gone yes  yes    yes     yes   gone    gone         gone
GET /v1/traits    | -      no      yes    yes    yes     yes   no      yes          yes
POST /v1/bitstreams | - no no yes yes yes no no yes
POST /v1/bitstreams/validate | - no no yes yes yes no no yes
GET /v1/bitstreams | - no yes yes yes yes no yes yes
GET /v1/bitstreams/<bitstream_id> | - no yes yes yes yes no yes yes
DELETE /v1/bitstreams/<bitstream_id> | - gone no yes yes yes gone no no
POST /v1/claims   | -      no      no     no     no      yes     yes   no           no
GET /v1/claims    | -      no      yes    yes    yes     yes     yes   yes          yes
GET /v1/claims/<claim_id> | - gone yes yes yes yes gone gone gone
PATCH /v1/claims/<claim_id> | - gone no yes yes yes gone gone gone
DELETE /v1/claims/<claim_id> | - gone no yes yes yes gone gone gone
POST /v1/servers/<server_id>/programs | - gone no yes yes yes gone gone gone
GET /v1/programs  | -      no      yes    yes    yes     yes     no    yes          yes
GET /v1/programs/<program_id> | - gone yes yes yes yes gone gone gone
GET /v1/opencl/nodes | - no no no yes yes yes no no
GET /v1/opencl/nodes/<node_id> | - gone gone gone yes yes yes gone gone
PUT /v1/opencl/nodes/<node_id> | - gone gone gone no yes yes gone gone
DELETE /v1/opencl/nodes/<node_id> | - gone gone gone no yes yes gone gone
POST /v1/opencl/nodes/<node_id>/heartbeats | - gone gone gone no yes yes gone gone
GET /v1/opencl/devices | - no yes yes yes yes no yes yes
GET /v1/opencl/devices/<device_id> | - gone yes yes yes yes gone gone gone
POST /v1/opencl/sessions | - no no yes yes yes no no yes
GET /v1/opencl/sessions | - no yes yes yes yes no yes yes
GET /v1/opencl/sessions/<session_id> | - gone yes yes yes yes gone gone gone
PATCH /v1/opencl/sessions/<session_id> | - gone no yes yes yes gone gone gone
POST /v1/opencl/sessions/<session_id>/tokens | - gone no yes yes yes gone gone gone
DELETE /v1/opencl/sessions/<session_id> | - gone no yes yes yes gone gone gone
"""


def _rows() -> dict[str, dict[str, int]]:
    head, *lines = TABLE.strip().splitlines()
    columns = head.partition("|")[2].split()
    assert tuple(columns) == COLUMNS
    rows = {}
    for line in lines:
        name, _, words = line.partition("|")
        cells = zip(columns, words.split(), strict=True)
        rows[name.strip()] = {persona: _WORDS[word] for persona, word in cells}
    return rows


ROWS = _rows()


def test_table_has_each_route() -> None:
    assert sorted(ROWS) == sorted(ROUTES)


def _handle(request: Request) -> Answer:
    if request.route.of_object:
        # A node is its user's, and the service registered it.
        user = support.user_id("service")
        request.check({"id": "1", "project_id": support.PROJECT, "user_id": user})
    return 204, None


def _bare(route: Route) -> Route:
    """The route with nothing but its policy."""
    query = {**route.query, "required": []}
    return dataclasses.replace(
        route,
        variables={},
        handler=_handle,
        body=None,
        package=False,
        query=query,
        answers={204: None},
    )


@pytest.fixture
def api(
    conf: cfg.ConfigOpts, tokens: support.Tokens, monkeypatch: pytest.MonkeyPatch
) -> support.Api:
    monkeypatch.setattr(handlers, "list_routes", lambda: [_bare(one) for one in ROUTES.values()])
    return support.Api(service.Service(conf))


@pytest.mark.parametrize("name", sorted(ROWS))
def test_route_is_for_those_of_the_table(name: str, api: support.Api) -> None:
    route = ROUTES[name]
    path = re.sub(r"<\w+>", support.PLACEHOLDER, route.path)
    found = {
        persona: api.call(route.method, path, None if persona == "nobody" else persona).status_code
        for persona in COLUMNS
    }
    assert found == ROWS[name]
