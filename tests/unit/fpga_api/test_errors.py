# SPDX-License-Identifier: Apache-2.0
"""Codes of failures are stable."""

import pytest

from fpga_api import errors

#: Clients compare these: none may change, or be used for something else.
CODES = {
    "fpga.bad_package": 422,
    "fpga.bad_request": 400,
    "fpga.bitstream_in_use": 409,
    "fpga.bitstream_not_accepted": 403,
    "fpga.body_incomplete": 408,
    "fpga.broker_unavailable": 503,
    "fpga.busy": 503,
    "fpga.cache_unavailable": 503,
    "fpga.claim_ended": 409,
    "fpga.cloud_unavailable": 503,
    "fpga.database_unavailable": 503,
    "fpga.forbidden": 403,
    "fpga.glance_refused": 409,
    "fpga.glance_unavailable": 503,
    "fpga.host_too_old": 409,
    "fpga.host_unavailable": 503,
    "fpga.id_taken": 409,
    "fpga.internal_error": 500,
    "fpga.keystone_unavailable": 503,
    "fpga.length_required": 411,
    "fpga.limit_reached": 413,
    "fpga.method_not_allowed": 405,
    "fpga.no_region": 409,
    "fpga.node_unknown": 409,
    "fpga.none_free": 409,
    "fpga.not_found": 404,
    "fpga.not_published": 503,
    "fpga.other_nodes": 409,
    "fpga.program_running": 409,
    "fpga.quota_unavailable": 503,
    "fpga.reader_unavailable": 503,
    "fpga.server_busy": 409,
    "fpga.server_moved": 409,
    "fpga.server_state": 409,
    "fpga.session_ended": 409,
    "fpga.too_large": 413,
    "fpga.unauthorized": 401,
    "fpga.unavailable": 503,
    "fpga.unsupported_media_type": 415,
    "fpga.version_not_supported": 406,
}


def _kinds(kind: type[errors.ApiError]) -> list[type[errors.ApiError]]:
    # Others are special cases of these, with the same codes.
    children = [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    return [one for child in children for one in (child, *_kinds(child))]


def test_codes_are_the_published_ones() -> None:
    kinds = _kinds(errors.ApiError)
    assert {kind.code: kind.status for kind in kinds} == CODES
    assert len({kind.code for kind in kinds}) == len(kinds)


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "fpga.not_found"), (418, "fpga.bad_request"), (502, "fpga.internal_error")],
)
def test_status_of_a_library_has_a_code(status: int, code: str) -> None:
    assert errors.of_status(status, "why").code == code
