# SPDX-License-Identifier: Apache-2.0
"""Nova's own unit tests of the modules that the diff touches, for stestr to run on a patched Nova.

stestr would import all of Nova's tests to find these; naming them saves a minute.
"""

import unittest

_MODULES = (
    "compute.test_claims",
    "compute.test_compute_mgr",
    "compute.test_resource_tracker",
    "compute.test_shelve",
    "db.main.test_api",
    "db.main.test_migrations",
    "db.test_migration",
    "limit.test_placement",
    "objects.test_compute_node",
    "objects.test_instance",
    "objects.test_objects",
    "scheduler.test_host_manager",
    "virt.test_virt",
    "virt.test_virt_drivers",
)


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """The protocol of unittest: what this module holds is what it loads."""
    return loader.loadTestsFromNames([f"nova.tests.unit.{module}" for module in _MODULES])
