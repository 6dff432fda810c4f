# SPDX-License-Identifier: Apache-2.0
"""The report of a host: from the newest record, and none where nothing is known."""

import dataclasses
import datetime
import json
import os
import typing
from pathlib import Path

import pytest

from fpga_hooks.program import last_look, published
from fpga_hooks.rpc import report
from fpga_nova import contract, host_status
from fpga_regions.ledger import status_file
from tests.unit.fpga_hooks.conftest import OWNER, SCHEMA, region, status

AT = "2026-01-02T03:04:05.678+00:00"


@pytest.fixture(autouse=True)
def looked(monkeypatch: pytest.MonkeyPatch) -> last_look.LastLook:
    """No audit has been yet."""
    monkeypatch.setattr(last_look, "host", lambda: "node")
    monkeypatch.setattr(last_look, "ours", last_look.LastLook())
    return last_look.ours


@pytest.fixture
def publish(
    tmp_path: Path, config: typing.Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> typing.Callable[..., None]:
    """Publish regions that many seconds ago."""
    monkeypatch.setattr(published, "_OWNER", os.geteuid())
    path = tmp_path / "status.json"
    config(status_file=str(path))

    def write(*regions: dict[str, typing.Any], age: float = 0) -> None:
        head = {
            "format": contract.STATUS_FORMAT,
            "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "uptime": status_file.uptime() - age,
            "at": AT,
        }
        path.write_text(json.dumps(json.loads(status(*regions)) | head))
        path.chmod(0o640)

    return write


def _seen(*regions: dict[str, typing.Any], stray: bool = False) -> host_status.Status:
    seen = host_status.read(json.loads(status(*regions)))
    marked = tuple(dataclasses.replace(one, stray=stray) for one in seen.regions)
    return dataclasses.replace(seen, regions=marked)


def test_host_that_has_looked_at_nothing_knows_nothing(config) -> None:
    config(status_file="")
    assert report.report() is None


def test_published_status_is_reported_with_its_time(publish, looked) -> None:
    looked.record(_seen(region(state="free", owner=None)))
    publish(region(digest="sha256:1", since=AT), age=170)
    answer = report.report()
    assert answer is not None
    (reported,) = answer["regions"]
    assert answer["at"] == AT
    assert (reported["owner"], reported["digest"], reported["since"]) == (OWNER, "sha256:1", AT)


def test_last_audit_is_reported_where_what_is_published_is_old(publish, looked) -> None:
    publish(region(), age=200)
    assert report.report() is None
    looked.record(_seen(region(state="free", owner=None)))
    answer = report.report()
    assert answer is not None
    assert [one["state"] for one in answer["regions"]] == ["free"]
    assert datetime.datetime.fromisoformat(answer["at"]).tzinfo is not None


@pytest.mark.parametrize("age", [0, 200])
def test_region_that_nobody_may_get_is_withheld(publish, looked, age: float) -> None:
    looked.record(_seen(region(), stray=True))
    publish(region(), age=age)
    answer = report.report()
    assert answer is not None
    assert [one["withheld"] for one in answer["regions"]] == [True]


def test_names_are_those_of_the_status() -> None:
    assert set(report._NAMES) == set(SCHEMA["$defs"]["region"]["properties"])
