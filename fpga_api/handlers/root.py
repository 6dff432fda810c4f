# SPDX-License-Identifier: Apache-2.0
"""The versions document, and the description of the API."""

import functools
import typing

from fpga_api import openapi, routing
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import root as schemas


def versions(_request: Request) -> Answer:
    """The versions that the service has."""
    return 200, {
        "versions": [
            {
                "id": "v1",
                "status": "CURRENT",
                "min_version": routing.VERSION,
                "max_version": routing.VERSION,
                "links": [
                    {"rel": "self", "href": "/v1"},
                    {"rel": "describedby", "href": "/openapi.json"},
                ],
            }
        ]
    }


def description(_request: Request) -> Answer:
    """The API in OpenAPI 3.1."""
    return 200, _description()


@functools.cache
def _description() -> dict[str, typing.Any]:
    # Not at the top: the table of routes has this module's, too.
    from fpga_api import handlers

    return openapi.describe(handlers.list_routes())


ROUTES = [
    Route(
        "GET",
        "/",
        versions,
        "Show the versions of the API",
        rule=None,
        answers={200: schemas.VERSIONS},
    ),
    Route(
        "GET",
        "/openapi.json",
        description,
        "Show the description of the API",
        rule=None,
        answers={200: schemas.OPENAPI},
    ),
]
