# SPDX-License-Identifier: Apache-2.0
"""What a run of tempest gave: a count of each result, and whether that is enough."""

import collections
import collections.abc
import dataclasses
import typing

import subunit
import testtools

#: In the log of a test whenever it has reached a server by SSH (tempest.lib.common.ssh).
_CONNECTED = "ssh connection to "
_SUCCESS = "successfully created"

_RUN = "success"
_NOT_RUN = frozenset({"skip", "exists"})


@dataclasses.dataclass
class Results:
    """Results by test.

    :ivar passed: names of tests
    :ivar by_ssh: those of them that reached a server by SSH
    :ivar skipped: names by reason; a class that is skipped as a whole is one name
    :ivar failed: names of tests, and of classes that could not be prepared or cleaned up
    """

    passed: list[str] = dataclasses.field(default_factory=list)
    by_ssh: list[str] = dataclasses.field(default_factory=list)
    skipped: dict[str, list[str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )
    failed: list[str] = dataclasses.field(default_factory=list)

    def add(self, test: dict[str, typing.Any]) -> None:
        """One test, as testtools' StreamToDict has it; one that never ended has failed."""
        name, details = test["id"], test["details"]
        if test["status"] == _RUN:
            self.passed.append(name)
            log = "".join(content.as_text() for content in details.values())
            if any(_CONNECTED in line and _SUCCESS in line for line in log.splitlines()):
                self.by_ssh.append(name)
        elif test["status"] in _NOT_RUN:
            reason = details["reason"].as_text() if "reason" in details else "no reason"
            self.skipped[reason.strip()].append(name)
        else:
            self.failed.append(name)

    def shortcomings(self, passed: int, by_ssh: int) -> list[str]:
        """What is missing, if that is the least number of tests.

        :param by_ssh: of those that pass
        """
        found = [f"failed: {name}" for name in self.failed]
        for what, number, least in (
            ("passed", len(self.passed), passed),
            ("passed with SSH", len(self.by_ssh), by_ssh),
        ):
            if number < least:
                found.append(f"{what}: {number}, at least {least} are expected")
        return found


def read(stream: typing.BinaryIO) -> Results:
    """The results in a stream of subunit."""
    results = Results()
    target = testtools.StreamToDict(results.add)
    target.startTestRun()
    subunit.ByteStreamToStreamResult(stream, non_subunit_name="output").run(target)
    target.stopTestRun()
    return results


def lines(results: Results, excluded: int) -> collections.abc.Iterator[str]:
    """For people.

    :param excluded: the number of tests that did not run
    """
    yield f"passed: {len(results.passed)}, of these with SSH: {len(results.by_ssh)}"
    yield f"failed: {len(results.failed)}"
    yield f"excluded tests: {excluded}"
    yield f"skipped, by reason: {sum(len(names) for names in results.skipped.values())}"
    for reason, names in sorted(results.skipped.items(), key=lambda pair: -len(pair[1])):
        yield f"  {len(names):3}  {reason}"
