# SPDX-License-Identifier: Apache-2.0
"""The rules that others refer to, and how one of a route is written."""

from oslo_policy import policy

ADMIN = "rule:fpga:admin"
MANAGER = "rule:fpga:manager"
#: Of any project; what the answer has is for the handler to choose.
READER = "rule:fpga:reader"
MEMBER = "rule:fpga:member"
#: Of the object's project.
OWNER_READER = "rule:fpga:owner_reader"
OWNER_MEMBER = "rule:fpga:owner_member"

_TOKENS = ["project"]

RULES = [
    policy.RuleDefault(
        "fpga:admin", "role:admin", "Administrators of the cloud.", scope_types=_TOKENS
    ),
    policy.RuleDefault(
        "fpga:manager",
        f"role:manager or {ADMIN}",
        "Those who look after the cards of the cloud.",
        scope_types=_TOKENS,
    ),
    # Keystone gives `reader` to whoever has `member`, and both to whoever has `admin`. A cloud
    # without these implied roles has to give them itself.
    policy.RuleDefault(
        "fpga:reader", f"role:reader or {ADMIN}", "Readers of any project.", scope_types=_TOKENS
    ),
    policy.RuleDefault(
        "fpga:member", f"role:member or {ADMIN}", "Members of any project.", scope_types=_TOKENS
    ),
    policy.RuleDefault(
        "fpga:owner_reader",
        f"(role:reader and project_id:%(project_id)s) or {ADMIN}",
        "Readers of the project that has the object.",
        scope_types=_TOKENS,
    ),
    policy.RuleDefault(
        "fpga:owner_member",
        f"(role:member and project_id:%(project_id)s) or {ADMIN}",
        "Members of the project that has the object.",
        scope_types=_TOKENS,
    ),
]


def rule(name: str, check: str, description: str, *operations: str) -> policy.DocumentedRuleDefault:
    """A rule of routes.

    :param operations: methods and paths, ``"GET /v1/traits"``
    """
    return policy.DocumentedRuleDefault(
        name,
        check,
        description,
        [dict(zip(("method", "path"), one.split(" ", 1), strict=True)) for one in operations],
        scope_types=_TOKENS,
    )
