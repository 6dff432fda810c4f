# SPDX-License-Identifier: Apache-2.0
"""What others' suites of OpenCL print, and what of it passes by one way alone."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import opencl_suites
import opencl_ways
import suites

PLACE = suites.Place(Path("/nowhere"), "python")
_REPORT = """<testsuites><testsuite>
<testcase classname="test_a" name="test_b[&lt;context factory for &lt;cl 'x' on 'y'&gt;&gt;-3]"/>
<testcase classname="test_a" name="test_e[&lt;pyopencl.Platform 'y'&gt;]"/>
<testcase classname="test_a" name="test_c"><failure/></testcase>
<testcase classname="test_a" name="test_d"><skipped/></testcase>
</testsuite></testsuites>"""


class Fake(opencl_ways.Way):
    """A way whose programs print what it was given."""

    name = "fake"

    def __init__(self, output: str = "", status: int = 0, report: str = "") -> None:
        self._done = subprocess.CompletedProcess[str]([], status, output)
        self._report = report

    def run(
        self, words: list[str], folder: Path, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        if self._report:
            (folder / "report.xml").write_text(self._report)
        return self._done


def test_tests_of_all_precisions_of_clblast_count() -> None:
    output = "   234 test(s) passed\n\x1b[35m   2 test(s) skipped\x1b[0m\n   0 test(s) failed\n"
    assert suites.clblast("xdot")(PLACE, Fake(2 * output)) == {
        "xdot": ["passed"] * 234 + ["skipped"] * 2 + ["passed"] * 234 + ["skipped"] * 2
    }


@pytest.mark.parametrize("way", [Fake("", 0), Fake("3 test(s) passed", 1)])
def test_program_that_ends_early_fails(way: Fake) -> None:
    assert "failed" in suites.clblast("xdot")(PLACE, way)["xdot"]


def test_test_has_one_name_on_all_platforms(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    found = suites.pyopencl(suites.Place(tmp_path, "python"), Fake(report=_REPORT))
    assert found == {
        "test_a.test_b[-3]": ["passed"],
        "test_a.test_c": ["failed"],
        "test_a.test_e": ["passed"],
        "test_a.test_d": ["skipped"],
    }


def test_pytest_without_a_report_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    with pytest.raises(RuntimeError, match="it crashed"):
        suites.pyopencl(suites.Place(tmp_path, "python"), Fake("it crashed", 139))


def test_program_without_its_module_is_skipped() -> None:
    assert suites.clpeak(PLACE, Fake("ModuleNotFoundError: x", 1)) == {"ends": ["skipped"]}


def test_only_what_passes_with_pocl_itself_is_lost() -> None:
    local = {"a": ["passed"], "b": ["failed"], "c": ["passed"], "d": ["passed"]}
    ours = {"a": ["passed"], "b": ["failed"], "c": ["failed"]}
    assert opencl_suites.lost(local, ours) == ["c", "d"]


def test_what_needs_what_is_not_served_is_not_lost() -> None:
    (name, *_others) = opencl_suites.NOT_SERVED
    assert opencl_suites.lost({name: ["passed"]}, {name: ["failed"]}) == []


def test_only_what_differs_is_shown() -> None:
    local, ours = {"a": ["passed"], "b": ["passed"]}, {"a": ["passed"], "b": ["skipped"]}
    assert suites.differences(local, ours) == ["b: passed, skipped"]
