# SPDX-License-Identifier: Apache-2.0
"""Nova's side of the ground needs the Glance and the options that the scheduler's tests have."""

from tests.unit.scheduler_filters.conftest import cloud, config, context

__all__ = ["cloud", "config", "context"]
