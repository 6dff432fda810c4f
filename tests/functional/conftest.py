# SPDX-License-Identifier: Apache-2.0
"""Functional tests need a patched Nova; say so at once instead of failing everywhere."""

import importlib.util
import os

import pytest

# Nova's functional tests patch eventlet in unless told otherwise before they are imported.
os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"


def pytest_configure(config: pytest.Config) -> None:
    """Stop where Nova is missing or not patched.

    :raises pytest.UsageError: with what to do
    """
    if importlib.util.find_spec("nova") is not None:
        from nova import monkey_patch

        monkey_patch.patch()
        from nova.objects import compute_node

        if "fpga_regions" in compute_node.ComputeNode.fields:
            return
    raise pytest.UsageError(
        "this interpreter's Nova is not patched: run 'tox -e functional', or "
        "'fpga-patch apply' in a virtual environment of your own"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of the Docker Engine in one process: it is started once."""
    for item in items:
        if "novadocker" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("engine"))
