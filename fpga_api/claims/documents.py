# SPDX-License-Identifier: Apache-2.0
"""Claims as the API shows them."""

import typing

from fpga_api import clock
from fpga_api.db.claims import Claim

Document = dict[str, typing.Any]

#: Members of what the host gave, in an answer.
_OF_REGION = ("device", "address", "board", "vendor", "part", "function", "nodes")


def describe(claim: Claim) -> Document:
    """A claim."""
    given = claim.region or {}
    return {
        "id": claim.id,
        "project_id": claim.project_id,
        "user_id": claim.user_id,
        "state": claim.state,
        "host": claim.host,
        "card": claim.provider_id,
        "region": given.get("region"),
        "bitstream_id": claim.bitstream_id,
        **{name: given.get(name) for name in _OF_REGION},
        "nodes": given.get("nodes") or [],
        "ttl": claim.ttl,
        "expires_at": clock.text(claim.expires_at),
        "created_at": clock.text(claim.created_at),
        "updated_at": clock.text(claim.updated_at),
        "fault": None if claim.code is None else {"code": claim.code, "detail": claim.fault},
    }
