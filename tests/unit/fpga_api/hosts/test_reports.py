# SPDX-License-Identifier: Apache-2.0
"""What is taken of a host's report, and what is no report."""

import copy
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga_api.hosts import reports

NODE = {"kind": "char", "name": "/dev/fpga0", "path": "/dev/xyz"}
GOOD: dict[str, typing.Any] = {
    "at": "2026-01-02T03:04:05.678+00:00",
    "regions": [
        {"id": "r1", "state": "programmed", "owner": "o", "number": 1, "nodes": [NODE]},
        {"id": "r2", "state": "free", "nodes": None, "withheld": True, "later": {"a": 1}},
    ],
}


def test_known_members_are_read_and_others_left_out() -> None:
    first, second = reports.read(GOOD).regions
    assert (first["id"], first["owner"], first["nodes"]) == ("r1", "o", [NODE])
    assert (second["withheld"], second["healthy"], second["nodes"]) == (True, None, [])
    assert "later" not in second


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"at": "yesterday"}, id="no time"),
        pytest.param({"at": "2026-01-02T03:04:05"}, id="no zone"),
        pytest.param({"regions": None}, id="no regions"),
        pytest.param({"regions": {}}, id="regions are no list"),
        pytest.param({"regions": [{"id": "r"}]}, id="no state"),
        pytest.param({"regions": [{"id": "", "state": "free"}]}, id="no id"),
        pytest.param({"regions": [{"id": 1, "state": "free"}]}, id="a number as id"),
        pytest.param({"regions": [{"id": "r" * 5000, "state": "free"}]}, id="a long id"),
        pytest.param({"regions": [{"id": "r", "state": "free", "number": True}]}, id="a flag"),
        pytest.param({"regions": [{"id": "r", "state": "free", "nodes": [{}]}]}, id="empty node"),
        pytest.param({"regions": [GOOD["regions"][1]] * 10_001}, id="too many"),
    ],
)
def test_what_is_no_report_is_refused(change: dict[str, typing.Any]) -> None:
    with pytest.raises(reports.NoReport):
        reports.read(copy.deepcopy(GOOD) | change)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
_REGION = st.dictionaries(st.sampled_from(["id", "state", "nodes", "owner"]), _JSON) | _JSON


@given(_JSON | st.fixed_dictionaries({"at": st.just(GOOD["at"]), "regions": st.lists(_REGION)}))
def test_hostile_report_is_read_or_refused_and_nothing_else(document: typing.Any) -> None:
    try:
        report = reports.read(document)
    except reports.NoReport:
        return
    assert all(isinstance(region["id"], str) for region in report.regions)
