# SPDX-License-Identifier: Apache-2.0
"""Who may do what: one module per resource, its rules in `RULES`.

Each module of this package is found by itself; `list_rules` is what oslo.policy's tools show.
"""

import importlib
import itertools
import pkgutil
import typing

from oslo_config import cfg
from oslo_policy import policy

from fpga_api import context as contexts
from fpga_api import errors, options


def list_rules() -> list[policy.RuleDefault]:
    """All rules, those of the base first."""
    names = sorted(one.name for one in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    modules.sort(key=lambda module: not module.__name__.endswith(".base"))
    return list(itertools.chain.from_iterable(module.RULES for module in modules))


def sample_enforcer() -> policy.Enforcer:
    """What the tools of oslo.policy read the operator's policy with."""
    return Enforcer(options.load()).enforcer


class Enforcer:
    """The operator's policy: ours, with what the operator's file says otherwise.

    :ivar enforcer: oslo.policy's
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.enforcer = policy.Enforcer(conf)
        self.enforcer.suppress_deprecation_warnings = True
        self.enforcer.register_defaults(list_rules())

    def load(self) -> None:
        """Read the operator's file, which is read again whenever it changes.

        :raises ValueError: it cannot be read as a policy
        """
        try:
            self.enforcer.load_rules()
        except (OSError, ValueError) as e:
            raise ValueError(f"the policy of the operator cannot be read: {e}") from e

    def permits(
        self,
        context: contexts.RequestContext,
        rule: str,
        target: typing.Mapping[str, typing.Any],
    ) -> bool:
        """Whether policy lets the maker of a request do something to an object.

        :param target: the object as it was loaded, its project as `project_id`; empty if the
            request is for no single object
        """
        try:
            return bool(self.enforcer.authorize(rule, dict(target), context))
        except policy.InvalidScope:
            return False

    def check(
        self,
        context: contexts.RequestContext,
        rule: str,
        target: typing.Mapping[str, typing.Any],
    ) -> None:
        """As `permits`.

        :raises errors.Forbidden: it does not
        """
        if not self.permits(context, rule, target):
            raise errors.Forbidden(f"policy does not allow {rule} to you")
