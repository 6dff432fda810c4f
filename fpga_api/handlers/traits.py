# SPDX-License-Identifier: Apache-2.0
"""Traits that cards have in Placement, which shows them to administrators alone."""

from fpga_api import publication
from fpga_api.policies import traits as policies
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import hosts as schemas


def index(request: Request) -> Answer:
    """The traits, for the extra specs of a flavor."""
    published = request.service.publication.require(publication.HOSTS)
    names = published.document["traits"]
    return 200, {"traits": [{"name": name} for name in names], **published.freshness()}


ROUTES = [
    Route(
        "GET",
        "/v1/traits",
        index,
        "List the traits of cards",
        rule=policies.LIST,
        answers={200: schemas.TRAITS},
    )
]
