# SPDX-License-Identifier: Apache-2.0
"""A provider of Placement, and an audit that tells it of the regions of a host."""

import types
import uuid

import pytest
from nova.compute import provider_tree
from oslo_config import cfg

from fpga_hooks import calls
from fpga_hooks.placement import function_traits, inventory, providers
from fpga_hooks.program import last_look
from tests.unit.fpga_hooks.conftest import Program, status

NODE = "node"
FREE = {"state": "free", "owner": None, "function": None}


class Client:
    """Placement's traits, as Nova's client of it asks for them."""

    def __init__(self) -> None:
        self.unused: list[str] = []
        self.in_use: set[str] = set()
        self.deleted: list[str] = []
        self.looks = 0
        self.status = 200

    def get(self, url, version):
        prefix, filters = url.removeprefix("/traits?name=startswith:").split("&")
        assert filters == "associated=false"
        self.looks += prefix == "CUSTOM_FPGA_FUNCTION_"
        names = [name for name in self.unused if name.startswith(prefix)]
        return types.SimpleNamespace(status_code=self.status, json=lambda: {"traits": names})

    def delete(self, url, version):
        name = url.removeprefix("/traits/")
        if name in self.in_use:
            return types.SimpleNamespace(status_code=409)
        self.deleted.append(name)
        self.unused.remove(name)
        return types.SimpleNamespace(status_code=204)


@pytest.fixture
def client(monkeypatch) -> Client:
    client = Client()
    monkeypatch.setattr(function_traits.report, "report_client_singleton", lambda: client)
    return client


@pytest.fixture
def tree(program: Program, monkeypatch, client):
    """A provider with an inventory and traits of others."""
    monkeypatch.setattr(last_look, "ours", last_look.LastLook())
    monkeypatch.setattr(providers, "ours", providers.Providers())
    # An attribute that is set would stay, with the value before it, in place of the option.
    monkeypatch.setitem(vars(cfg.CONF), "host", NODE)
    calls._hooks.cache_clear()
    tree = provider_tree.ProviderTree()
    tree.new_root(NODE, str(uuid.uuid4()))
    tree.update_inventory(NODE, {"VCPU": {"total": 4}})
    tree.update_traits(NODE, ["HW_CPU_X86_AVX2", "CUSTOM_GOLD", "CUSTOM_FPGA_RACK_7"])
    return tree


@pytest.fixture
def audit(program: Program, tree):
    """Have an audit see these regions, and Placement told of it."""

    def audit(*regions, quarantined: int = 0, **answer):
        program.answers(out=status(*regions, quarantined=quarantined), **answer)
        calls.update_resources({})
        inventory.update_provider_tree(tree, NODE)
        provider = tree.data(NODE)
        return provider.inventory.get("CUSTOM_FPGA_REGION"), set(provider.traits)

    return audit
