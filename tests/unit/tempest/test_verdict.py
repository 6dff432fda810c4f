# SPDX-License-Identifier: Apache-2.0
"""A run is judged by what the stream of its results says of each test."""

import io

import pytest
import subunit

from tests.tempest import verdict
from tests.tempest.verdict import Results

CONNECTED = "INFO [tempest.lib.common.ssh] ssh connection to root@172.24.4.9 successfully created"
REFUSED = "WARNING Failed to establish authenticated ssh connection to root@172.24.4.9"


def run(*tests: tuple[str, str | None], **details: str) -> Results:
    """The results of a stream of these tests, by their names and last states.

    :param details: a text for each test, by the name of the file that is attached to it
    """
    buffer = io.BytesIO()
    stream = subunit.StreamResultToBytes(buffer)
    for name, state in tests:
        stream.status(test_id=name, test_status="inprogress")
        for file, text in details.items():
            stream.status(
                test_id=name,
                file_name=file,
                file_bytes=text.encode(),
                eof=True,
                mime_type="text/plain; charset=utf8",
            )
        if state:
            stream.status(test_id=name, test_status=state)
    buffer.seek(0)
    return verdict.read(buffer)


def test_test_that_succeeded_has_passed() -> None:
    results = run(("one", "success"), ("two", "success"))
    assert (results.passed, results.by_ssh, results.failed) == (["one", "two"], [], [])


@pytest.mark.parametrize("state", ["fail", "uxsuccess", None])
def test_test_that_failed_or_never_ended_has_failed(state: str | None) -> None:
    assert run(("one", "success"), ("two", state)).failed == ["two"]


def test_class_that_cannot_be_prepared_has_failed() -> None:
    assert run(("setUpClass (a.B)", "fail")).shortcomings(0, 0) == ["failed: setUpClass (a.B)"]


def test_skipped_tests_are_counted_by_reason() -> None:
    results = run(("one", "skip"), ("two", "skip"), reason="no volumes")
    assert dict(results.skipped) == {"no volumes": ["one", "two"]}
    assert list(verdict.lines(results, 3)) == [
        "passed: 0, of these with SSH: 0",
        "failed: 0",
        "excluded tests: 3",
        "skipped, by reason: 2",
        "    2  no volumes",
    ]


def test_test_with_a_connection_in_its_log_has_used_ssh() -> None:
    assert run(("one", "success"), pythonlogging=f"first\n{CONNECTED}\n").by_ssh == ["one"]


def test_test_whose_connections_all_failed_has_not_used_ssh() -> None:
    assert run(("one", "success"), pythonlogging=f"{REFUSED}\n").by_ssh == []


def test_test_that_failed_after_a_connection_does_not_count_for_ssh() -> None:
    assert run(("one", "fail"), pythonlogging=CONNECTED).by_ssh == []


def test_too_few_tests_are_a_shortcoming() -> None:
    results = run(("one", "success"), ("two", "success"))
    assert results.shortcomings(2, 0) == []
    assert results.shortcomings(3, 1) == [
        "passed: 2, at least 3 are expected",
        "passed with SSH: 0, at least 1 are expected",
    ]


def test_empty_stream_is_a_shortcoming() -> None:
    assert verdict.read(io.BytesIO()).shortcomings(1, 0)
