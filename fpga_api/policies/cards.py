# SPDX-License-Identifier: Apache-2.0
"""Who sees cards: those who look after them."""

from fpga_api.policies import base

LIST = "fpga:cards:list"
SHOW = "fpga:cards:show"

RULES = [
    base.rule(LIST, base.MANAGER, "List the cards of all hosts", "GET /v1/cards"),
    base.rule(SHOW, base.MANAGER, "Show a card", "GET /v1/cards/{card_id}"),
]
