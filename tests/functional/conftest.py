# SPDX-License-Identifier: Apache-2.0
"""Functional tests need a patched Nova; say so at once instead of failing everywhere."""

import importlib.metadata
import importlib.util
import os

import pytest

#: Before this series Nova's functional tests lean on eventlet's threads.
_NATIVE_THREADS = 34


def pytest_configure(config: pytest.Config) -> None:
    """Stop where Nova is missing or not patched.

    :raises pytest.UsageError: with what to do
    """
    if importlib.util.find_spec("nova") is not None:
        _choose_threads(int(importlib.metadata.version("nova").partition(".")[0]))
        from nova.objects import compute_node

        if "fpga_regions" in compute_node.ComputeNode.fields:
            return
    raise pytest.UsageError(
        "this interpreter's Nova is not patched: run 'tox -e functional', or "
        "'fpga-patch apply' in a virtual environment of your own"
    )


def _choose_threads(series: int) -> None:
    """Patch eventlet in, or not, as Nova's own functional tests of the series want it."""
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = str(series >= _NATIVE_THREADS).lower()
    from nova import monkey_patch

    if hasattr(monkey_patch, "patch"):  # up to 2025.1 the import does it
        monkey_patch.patch()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of the Docker Engine and of the database servers each in one process."""
    for item in items:
        if item.path.name in ("test_migrations_servers.py", "test_placement_claims.py"):
            item.add_marker(pytest.mark.xdist_group("databases"))
        if "novadocker" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("engine"))


@pytest.fixture(autouse=True)
def _virt_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the driver and the burns of one test left does not hold for those of the next."""
    from fpga_hooks.instance import background

    monkeypatch.setattr(background, "burns", background.Burns())
