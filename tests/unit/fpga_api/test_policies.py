# SPDX-License-Identifier: Apache-2.0
"""Policy: the tools of oslo.policy find the rules, and the operator's file replaces some."""

import importlib.metadata
from pathlib import Path

import pytest
from oslo_policy import opts, policy

from fpga_api import context, errors, policies
from tests.support import api as support


def _context(*roles: str, project: str = "p") -> context.RequestContext:
    return context.RequestContext(roles=list(roles), project_id=project)


@pytest.mark.parametrize("group", ["oslo.policy.policies", "oslo.policy.enforcer"])
def test_tools_of_oslo_policy_find_the_rules(group: str) -> None:
    (point,) = importlib.metadata.entry_points(group=group, name="fpga_api")
    found = point.load()()
    rules = found.registered_rules if isinstance(found, policy.Enforcer) else found
    assert len(rules) == len(policies.list_rules())


def test_no_rule_is_for_everybody() -> None:
    nobody = _context()
    enforcer = policies.Enforcer(support.configuration())
    for rule in policies.list_rules():
        assert not enforcer.permits(nobody, rule.name, {"project_id": "p"}), rule.name
        assert rule.scope_types == ["project"], rule.name


def test_operator_s_file_replaces_a_rule(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"fpga:bitstreams:list": "role:special"')
    conf = support.configuration()
    opts.set_defaults(conf, policy_file=str(file))
    enforcer = policies.Enforcer(conf)
    assert enforcer.permits(_context("special"), "fpga:bitstreams:list", {})
    with pytest.raises(errors.Forbidden):
        enforcer.check(_context("reader"), "fpga:bitstreams:list", {})
    assert enforcer.permits(_context("reader"), "fpga:bitstreams:get", {})


def test_token_of_the_system_is_for_no_project() -> None:
    enforcer = policies.Enforcer(support.configuration())
    system = context.RequestContext(roles=["admin", "reader"], system_scope="all")
    assert not enforcer.permits(system, "fpga:admin", {})
