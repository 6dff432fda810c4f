# SPDX-License-Identifier: Apache-2.0
"""Policy of bitstreams. Glance's own policy decides besides, as it is asked as the user."""

from fpga_api.policies import base

LIST = "fpga:bitstreams:list"
GET = "fpga:bitstreams:get"
CREATE = "fpga:bitstreams:create"
VALIDATE = "fpga:bitstreams:validate"
DELETE = "fpga:bitstreams:delete"

RULES = [
    base.rule(
        LIST, base.READER, "List the bitstreams that Glance shows to you.", "GET /v1/bitstreams"
    ),
    base.rule(
        GET,
        base.READER,
        "Show a bitstream that Glance shows to you.",
        "GET /v1/bitstreams/{bitstream_id}",
    ),
    base.rule(CREATE, base.MEMBER, "Upload a bitstream package to Glance.", "POST /v1/bitstreams"),
    base.rule(VALIDATE, base.MEMBER, "Check a bitstream package.", "POST /v1/bitstreams/validate"),
    base.rule(
        DELETE,
        base.OWNER_MEMBER,
        "Delete a bitstream that nothing uses.",
        "DELETE /v1/bitstreams/{bitstream_id}",
    ),
]
