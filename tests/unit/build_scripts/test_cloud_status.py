# SPDX-License-Identifier: Apache-2.0
"""The status of a cloud is what its hosts and Nova say, and nothing where they say nothing."""

import json
import typing

import pytest
from deployment import status
from deployment.folder import Folder

from tests.unit.build_scripts.cloud_hosts import Hosts, call


def region(**fields: typing.Any) -> dict[str, typing.Any]:
    """A region of fpga-cli's status."""
    empty = dict.fromkeys(("quarantine", "function", "reason"))
    return empty | {"since": "2026-01-01T00:00:00Z"} | fields


REPORT = {
    "total": 3,
    "used": 1,
    "quarantined": 2,
    "regions": [
        region(function="lzo1x_compress"),
        region(quarantine="burn failed", reason="first", since="2026-01-02T00:00:00Z"),
        region(quarantine="burn failed", reason="second", since="2026-01-03T00:00:00Z"),
    ],
}
SERVICES = [
    {"Binary": "nova-scheduler", "Host": "controller", "State": "up", "Status": "enabled"},
    {"Binary": "nova-compute", "Host": "compute1", "State": "down", "Status": "disabled"},
]


class TestStatus:
    def test_regions_and_novas_state_are_put_together(
        self, hosts: Hosts, folder: Folder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        controller, compute1, compute2 = hosts.cloud.nodes
        hosts.answer(controller, json.dumps(SERVICES))
        hosts.answer(compute1, json.dumps(REPORT))
        assert call("status", folder, "--format", "json") == 0
        records = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
        assert records["compute1"] == {
            "name": "compute1",
            "regions": 3,
            "used": 1,
            "quarantined": 2,
            "bitstreams": ["lzo1x_compress"],
            "error": "second",
            "nova": "down, disabled",
            "failure": None,
        }
        assert records["controller"]["nova"] == "no compute host"
        assert records[compute2.name]["nova"] == "not registered"

    def test_host_that_does_not_answer_has_unknown_regions(
        self, hosts: Hosts, folder: Folder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hosts.answer(hosts.cloud.nodes[0], json.dumps(SERVICES))
        hosts.cut(hosts.cloud.nodes[1])
        assert call("status", folder) == 1
        lines = capsys.readouterr().out.splitlines()
        (row,) = [line.split() for line in lines if line.startswith("compute1")]
        assert row[:4] == ["compute1", "?", "?", "?"]
        assert all(len(line) <= 120 for line in lines)

    def test_controller_that_does_not_answer_makes_novas_state_unknown(
        self, hosts: Hosts, folder: Folder
    ) -> None:
        hosts.cut(hosts.cloud.nodes[0])
        hosts.answer(hosts.cloud.nodes[1], json.dumps(REPORT))
        found = status.look(hosts.cloud, folder, hosts.cloud.nodes)
        assert [one.nova for one in found] == ["no compute host", None, None]
        assert [one.failure is None for one in found] == [False, True, True]

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"regions": [1]}', "no JSON", "3"])
    def test_answer_that_is_no_status_is_a_failure(self, text: str, hosts: Hosts) -> None:
        found = status.regions(hosts.cloud.nodes[1], text)
        assert (found.regions, found.failure) == (None, "fpga-cli answered no status")
        assert status.services(text) in (None, {})
