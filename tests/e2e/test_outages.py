# SPDX-License-Identifier: Apache-2.0
"""The database or the broker is gone for a while; no region is lost or owned twice for it."""

import collections.abc
import time
import typing

import pytest
from cloud import Cloud

from tests.e2e.hosts import KEEPING
from tests.e2e.stage import Stage
from tests.support.host import wait_until

#: Seconds that a service is gone, and that a burn takes.
GONE, BURN = 8.0, 4.0

SERVICES = ["database", "rabbitmq"]


@pytest.fixture
def stage(stages: typing.Callable[[str], Stage]) -> collections.abc.Iterator[Stage]:
    """Hosts whose burns take their time."""
    stage = stages(KEEPING)
    stage.here.cli.configure(drivers="fake", fake__program_delay=BURN)
    yield stage
    stage.here.cli.configure(drivers="fake")


def _gone_for_a_while(cloud: Cloud, service: str) -> None:
    cloud.stop(service)
    time.sleep(GONE)
    cloud.start(service)


@pytest.mark.parametrize("service", SERVICES)
def test_region_of_a_server_that_is_built_meanwhile_is_its_own_or_free(
    cloud: Cloud, stage: Stage, service: str
) -> None:
    stage.create()
    wait_until(lambda: stage.regions() != [], 60)
    _gone_for_a_while(cloud, service)
    # Nova may leave the server in BUILD, with or without a region, until its host starts again.
    stage.here.audited()
    stage.check()
    stage.clean()


@pytest.mark.parametrize("service", SERVICES)
def test_regions_are_kept_while_nobody_can_be_asked(
    cloud: Cloud, stage: Stage, service: str
) -> None:
    stage.active()
    before = stage.regions()
    _gone_for_a_while(cloud, service)
    stage.here.audited()
    assert stage.regions() == before
    stage.clean()
