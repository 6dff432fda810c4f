# SPDX-License-Identifier: Apache-2.0
"""What a host says of a claim is read, whatever it is."""

from fpga_api.claims import answers


def test_region_that_is_odd_is_read_as_far_as_it_can_be() -> None:
    odd = {"region": 7, "address": "0" * 999, "nodes": [{"kind": None, "path": "/p"}, "no"] * 99}
    found = answers.region(odd)
    assert (found["region"], len(found["address"])) == (None, 255)
    assert found["nodes"][0] == {"kind": "unknown", "name": None, "path": "/p"}
    assert len(found["nodes"]) == 32
    assert answers.region({"nodes": {}})["nodes"] == []


def test_failure_has_a_code_whatever_the_host_says() -> None:
    assert answers.failure({"code": 68, "fault": "no"}) == ("exit.68", "no")
    assert answers.failure({"code": True, "fault": 5}) == ("host.failed", "the host gave no reason")
