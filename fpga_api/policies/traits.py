# SPDX-License-Identifier: Apache-2.0
"""Who sees the traits of cards; Placement itself shows them to administrators alone."""

from fpga_api.policies import base

LIST = "fpga:traits:list"

RULES = [base.rule(LIST, base.READER, "List the traits that cards have", "GET /v1/traits")]
