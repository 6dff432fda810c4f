# SPDX-License-Identifier: Apache-2.0
"""Who claims accelerators without a server: administrators and other services."""

from fpga_api.policies import base

CREATE = "fpga:claims:create"
LIST = "fpga:claims:list"
SHOW = "fpga:claims:show"
RENEW = "fpga:claims:renew"
RELEASE = "fpga:claims:release"

_CHANGER = f"(role:service and project_id:%(project_id)s) or {base.OWNER_MEMBER}"
_PATH = "/v1/claims"

RULES = [
    base.rule(CREATE, f"role:service or {base.ADMIN}", "Claim an accelerator.", f"POST {_PATH}"),
    base.rule(
        LIST, f"role:service or {base.READER}", "List the claims that one sees.", f"GET {_PATH}"
    ),
    base.rule(
        SHOW,
        f"(role:service and project_id:%(project_id)s) or {base.OWNER_READER}",
        "See a claim: it is in the list then.",
        f"GET {_PATH}/{{claim_id}}",
    ),
    base.rule(RENEW, _CHANGER, "Change when a claim expires.", f"PATCH {_PATH}/{{claim_id}}"),
    base.rule(RELEASE, _CHANGER, "Release a claim.", f"DELETE {_PATH}/{{claim_id}}"),
]
