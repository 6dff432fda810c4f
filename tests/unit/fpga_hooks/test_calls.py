# SPDX-License-Identifier: Apache-2.0
"""What Nova calls, and what it does where there is no FPGA."""

import pytest
from stevedore import extension

from fpga_hooks import calls

from .conftest import Program, region, status


@pytest.fixture(autouse=True)
def _forget_hooks():
    calls._hooks.cache_clear()
    yield
    calls._hooks.cache_clear()


def test_a_host_without_access_reports_none_and_loads_no_hook(program: Program, config) -> None:
    config(access=False)
    resources: dict[str, int] = {}
    calls.init_host("node")
    calls.update_resources(resources)
    assert resources == {"fpga_regions": 0}
    assert program.calls == []


def test_the_installed_hooks_are_found_and_called(program: Program) -> None:
    program.answers(out=status(region(), region(state="free", owner=None)))
    resources: dict[str, int] = {}
    calls.update_resources(resources)
    assert resources["fpga_regions"] == 2
    assert program.calls == ["status --format json"]


def test_a_hook_that_cannot_be_loaded_stops_the_service(program: Program, monkeypatch) -> None:
    def broken(self, ep, *args, **kwargs):
        raise AttributeError("it is broken")

    monkeypatch.setattr(extension.ExtensionManager, "_load_one_plugin", broken)
    with pytest.raises(ImportError, match="cannot be loaded: it is broken"):
        calls.init_host("node")


def test_no_hook_at_all_stops_the_service(program: Program, monkeypatch) -> None:
    monkeypatch.setattr(calls, "GROUP", "nova.fpga.hooks.of.nobody")
    with pytest.raises(ImportError, match=r"no hook is installed.*set \[fpga\] access = False"):
        calls.init_host("node")


@pytest.mark.parametrize(("version", "database"), [("head", "main"), (None, "api"), ("1", "api")])
def test_only_a_whole_sync_of_the_main_database_reaches_our_columns(
    version: str | None, database: str
) -> None:
    calls.upgrade_database(object(), version, database)
