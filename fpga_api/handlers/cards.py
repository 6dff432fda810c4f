# SPDX-License-Identifier: Apache-2.0
"""Cards of all hosts, as the engine saw them, for those who look after them."""

from fpga_api import errors, paging, publication
from fpga_api.policies import cards as policies
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import common
from fpga_api.schemas import hosts as schemas

_PATH = "/v1/cards"


def index(request: Request) -> Answer:
    """The cards, with those of hosts that did not answer."""
    published = request.service.publication.require(publication.HOSTS)
    host = request.query.get("host")
    cards = [one for one in published.document["cards"] if host in (None, one["host"])]
    page, following = paging.page(
        sorted(cards, key=lambda one: one["id"]),
        _PATH,
        request.query,
        request.service.conf.fpga_api.max_limit,
    )
    return 200, {
        "cards": page,
        "next": following,
        **published.freshness(),
        "unreachable": [one["host"] for one in published.document["unreachable"]],
    }


def show(request: Request) -> Answer:
    """One card, by its resource provider."""
    published = request.service.publication.require(publication.HOSTS)
    wanted = request.path["card_id"]
    found = next((one for one in published.document["cards"] if one["id"] == wanted), None)
    if found is None:
        raise errors.NotFound(f"there is no card {wanted}")
    return 200, {"card": found, **published.freshness()}


ROUTES = [
    Route(
        "GET",
        _PATH,
        index,
        "List cards",
        rule=policies.LIST,
        query=schemas.CARDS_QUERY,
        answers={200: schemas.CARDS},
    ),
    Route(
        "GET",
        f"{_PATH}/<card_id>",
        show,
        "Show a card",
        rule=policies.SHOW,
        what="card",
        answers={200: schemas.ONE_CARD},
        variables={"card_id": common.UUID},
    ),
]
