# SPDX-License-Identifier: Apache-2.0
"""Nova's own functional tests of servers and their ports, for stestr to run on a patched Nova.

stestr would import all of Nova's tests to find these; naming them saves a minute. Each series of
Nova has these modules. Classes that repeat all tests of another one are left out.

The events of a server's power are left out, too: in Nova 26 that test needs Ironic's client, and
calls sys.exit without it, so that the other tests of stestr's worker never run.
"""

import os
import pathlib
import sys
import unittest

import testtools

_MODULES = (
    "test_external_networks",
    "test_ip_allocation",
    "test_list_servers_ip_filter",
    "test_routed_networks",
    "test_servers",
    "test_servers_resource_request",
)
#: In the names of classes that repeat tests with other providers in Placement, or as another user.
_REPETITIONS = ("Nested", "NonAdmin")

# These tests look for it in a source tree; Nova's wheel puts it beside its interpreter.
os.environ["OS_WSGI__API_PASTE_CONFIG"] = str(pathlib.Path(sys.prefix, "etc/nova/api-paste.ini"))


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """The protocol of unittest: what this module holds is what it loads."""
    found = loader.loadTestsFromNames([f"nova.tests.functional.{module}" for module in _MODULES])
    return unittest.TestSuite(
        test
        for test in testtools.iterate_tests(found)
        if not any(word in test.id() for word in _REPETITIONS)
    )
