# SPDX-License-Identifier: Apache-2.0
"""Who sees regions: their servers' projects, and those who look after the cards."""

from oslo_policy import policy

from fpga_api.policies import base

LIST = "fpga:regions:list"
SHOW = "fpga:regions:show"
HOST = "fpga:regions:host"

RULES = [
    base.rule(LIST, base.READER, "List the regions that one sees", "GET /v1/regions"),
    base.rule(
        SHOW,
        f"{base.OWNER_READER} or {base.MANAGER}",
        "See a region: it is in the list then",
        "GET /v1/regions/{region_id}",
    ),
    policy.RuleDefault(
        HOST,
        base.MANAGER,
        "See the regions of all projects, and their hosts",
        scope_types=["project"],
    ),
]
