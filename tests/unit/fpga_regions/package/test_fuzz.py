# SPDX-License-Identifier: Apache-2.0
"""A small run of the fuzzer; `python -m tests.fuzz.readers` makes the large one."""

import pytest

from fpga_regions import errors
from tests.fuzz import readers


@pytest.mark.parametrize("name", sorted(readers.READERS))
def test_reader_takes_what_is_good_and_refuses_the_rest_in_one_line(name: str) -> None:
    outcomes = readers.run(name, 2000, seed=1)
    assert outcomes.total() >= 2000
    assert outcomes["taken"] > 0
    assert len(outcomes) > 10


def test_any_other_error_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(data: bytes) -> str:
        raise KeyError("a defect")

    monkeypatch.setitem(readers.READERS, "package", (crash, readers.READERS["package"][1]))
    with pytest.raises(KeyError, match="a defect"):
        readers.run("package", 10, seed=1)


def test_line_that_is_none_is_reported() -> None:
    with pytest.raises(AssertionError, match="not a line for a person"):
        readers._refusal(errors.BadPackage("x" * 1000))
