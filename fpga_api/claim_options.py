# SPDX-License-Identifier: Apache-2.0
"""The options of claims and programs in fpga-api.conf."""

from oslo_config import cfg

CLAIMS = cfg.OptGroup("claims", title="Claims of accelerators without a server")
CLAIMS_OPTS = [
    cfg.IntOpt(
        "ttl",
        default=3600,
        min=1,
        help="Seconds after which a claim expires if its owner chose no other time.",
    ),
    cfg.IntOpt(
        "max_ttl",
        default=86400,
        min=1,
        help="Most seconds that a claim gets; a renewal begins them anew.",
    ),
    cfg.IntOpt(
        "timeout",
        default=300,
        min=10,
        help="Seconds within which a host has to program a claimed region.",
    ),
    cfg.BoolOpt(
        "unified_limits",
        default=False,
        help="""
Whether Keystone limits the claims of a project.

The limit is ``fpga_claims``, registered for the service of the endpoint in section
``[oslo_limit]``. A project without a limit has none to claim then.
""",
    ),
]

PROGRAMS = cfg.OptGroup("programs", title="Programs of servers that run")
PROGRAMS_OPTS = [
    cfg.FloatOpt(
        "start_timeout",
        default=10.0,
        min=1.0,
        help="Seconds within which a host has to say whether it begins a program.",
    ),
    cfg.IntOpt(
        "timeout",
        default=900,
        min=30,
        help="Seconds after which a program is lost whose host says nothing of it.",
    ),
]

GROUPS: list[tuple[cfg.OptGroup, list[cfg.Opt]]] = [
    (CLAIMS, CLAIMS_OPTS),
    (PROGRAMS, PROGRAMS_OPTS),
]
