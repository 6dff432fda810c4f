# SPDX-License-Identifier: Apache-2.0
"""Who reads how many servers there is room for."""

from oslo_policy import policy

from fpga_api.policies import base

RULES = [
    base.rule(
        "fpga:availability:read",
        base.READER,
        "Read the availability of flavors that the project has; others by fpga:availability:all.",
        "GET /v1/availability",
        "GET /v1/availability/{flavor}",
        "GET /v1/availability/{flavor}/history",
        "GET /gpus/flavors",
        "GET /gpus/flavors/{flavor}",
    ),
    policy.RuleDefault(
        "fpga:availability:all",
        base.MANAGER,
        "See the private flavors of other projects among those of fpga:availability:read.",
        scope_types=["project"],
    ),
]
