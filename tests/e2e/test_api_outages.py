# SPDX-License-Identifier: Apache-2.0
"""Something that fpga-api needs is gone for a while: nothing old is shown as fresh."""

import typing

import pytest
from cloud import Cloud, CloudError

from tests.e2e.fpga import Fpga, wait

pytestmark = pytest.mark.e2e


@pytest.fixture
def gone(cloud: Cloud, user: Fpga) -> typing.Iterator[typing.Callable[[str], None]]:
    """Stop a service until the end of the test; the counts are fresh before and after it."""
    stopped: list[str] = []

    def stop(service: str) -> None:
        stopped.append(service)
        cloud.stop(service)

    wait(lambda: _says(user), "fresh")
    yield stop
    for service in stopped:
        cloud.start(service)
    wait(lambda: _says(user), "fresh")


def _says(user: Fpga) -> str:
    """What a user reads of the counts: that they are fresh, stale, or the code of a failure."""
    try:
        done = user.cloud.run("openstack", "fpga", "availability", "list")
    except CloudError as e:
        return str(e)
    assert b"fpga-lzo" in done.stdout
    return "stale" if b"could not look again" in done.stderr else "fresh"


@pytest.mark.parametrize("service", ["placement-api", "fpga-api-engine"])
def test_counts_are_stale_without(
    user: Fpga, gone: typing.Callable[[str], None], service: str
) -> None:
    gone(service)
    wait(lambda: _says(user), "stale")


def test_counts_are_not_known_without_memcached(
    user: Fpga, gone: typing.Callable[[str], None]
) -> None:
    gone("memcached")
    assert "cache" in _says(user)
