# SPDX-License-Identifier: Apache-2.0
"""The options of OpenCL from afar in fpga-api.conf."""

from oslo_config import cfg

OPENCL = cfg.OptGroup("opencl", title="Sessions of OpenCL on nodes")
OPENCL_OPTS = [
    cfg.IntOpt(
        "ttl",
        default=3600,
        min=1,
        help="Seconds after which a session expires if its owner chose no other time.",
    ),
    cfg.IntOpt(
        "max_ttl",
        default=86400,
        min=1,
        help="Most seconds that a session gets; a renewal begins them anew.",
    ),
    cfg.IntOpt(
        "token_ttl",
        default=600,
        min=1,
        help="""
Seconds for which a session's token opens connections.

Connections that are open outlast it, until the session ends.
""",
    ),
    cfg.IntOpt(
        "memory",
        default=2048,
        min=64,
        help="MiB of a session's worker if its owner chose no other amount.",
    ),
    cfg.IntOpt(
        "node_ttl",
        default=15,
        min=2,
        help="""
Seconds without a heartbeat after which a node and its sessions are lost.

The node itself ends all workers if it reaches nobody for so long.
""",
    ),
    cfg.FloatOpt(
        "heartbeat",
        default=1.0,
        min=0.1,
        help="""
Seconds from one heartbeat of a node to the next.

A session that is deleted is gone from its node after so long, at most.
""",
    ),
    cfg.BoolOpt(
        "placement",
        default=True,
        help="""
Whether devices are resource providers in Placement, and sessions their consumers.

It has to be the same for the API and the engine. Without it, the database alone counts sessions.
""",
    ),
    cfg.BoolOpt(
        "unified_limits",
        default=False,
        help="""
Whether Keystone limits the sessions of a project.

The limits are ``fpga_opencl_sessions`` and ``fpga_opencl_memory_mb``, registered for the service of
the endpoint in section ``[oslo_limit]``. A project without a limit has none to open then.
""",
    ),
]
