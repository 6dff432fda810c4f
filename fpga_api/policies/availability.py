# SPDX-License-Identifier: Apache-2.0
"""Who reads how many servers there is room for."""

from fpga_api.policies import base

RULES = [
    base.rule(
        "fpga:availability:read",
        base.READER,
        "Read the availability of flavors that the project has; of all with fpga:availability:all.",
        "GET /v1/availability",
        "GET /v1/availability/{flavor}",
        "GET /v1/availability/{flavor}/history",
        "GET /gpus/flavors",
        "GET /gpus/flavors/{flavor}",
    ),
    base.rule(
        "fpga:availability:all",
        base.MANAGER,
        "Read the availability of flavors of other projects, too.",
        "GET /v1/availability",
    ),
]
