# SPDX-License-Identifier: Apache-2.0
"""Who programs a server that runs: its project, with bitstreams that the operator accepts."""

from oslo_policy import policy

from fpga_api.policies import base

CREATE = "fpga:programs:create"
ANY_BITSTREAM = "fpga:programs:any_bitstream"
LIST = "fpga:programs:list"
SHOW = "fpga:programs:show"

_PATH = "/v1/programs"

RULES = [
    base.rule(
        CREATE,
        base.OWNER_MEMBER,
        "Program a region of a server.",
        "POST /v1/servers/{server_id}/programs",
    ),
    policy.RuleDefault(
        ANY_BITSTREAM,
        base.ADMIN,
        "Program bitstreams that `[fpga] program_bitstreams` of the host does not have.",
        scope_types=["project"],
    ),
    base.rule(LIST, base.READER, "List the programs that one sees.", f"GET {_PATH}"),
    base.rule(
        SHOW,
        base.OWNER_READER,
        "See a program: it is in the list then.",
        f"GET {_PATH}/{{program_id}}",
    ),
]
