# SPDX-License-Identifier: Apache-2.0
"""How properties are tested: slow machines are no failure, and a gate tries the same each time."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fpga-nova",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
settings.load_profile("fpga-nova")
