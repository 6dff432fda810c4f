# SPDX-License-Identifier: Apache-2.0
"""Which counts are kept as samples."""

import datetime
from pathlib import Path

import pytest

from fpga_api import clock, publication
from fpga_api.availability.history import History
from fpga_api.db import samples, schema
from fpga_api.service import Service
from tests.support import api as support
from tests.support.availability import flavor


@pytest.fixture
def service(tmp_path: Path) -> Service:
    url = f"sqlite:///{tmp_path}/fpga.sqlite"
    schema.sync(support.database(url))
    return Service(support.configuration(database={"connection": url}))


def _keep(service: Service, complete: bool = True) -> int:
    """Publish, and have samples kept; how many there are then."""
    document = {"flavors": [flavor("fpga", 3, 8)], "complete": complete}
    service.publication.publish(publication.AVAILABILITY, document, 15)
    History(service).keep()
    return _count(service)


def _count(service: Service) -> int:
    long_ago = clock.now() - datetime.timedelta(days=1)
    return len(samples.of_flavor(service.database, flavor("fpga", 3, 8)["id"], long_ago))


def test_what_was_counted_is_kept(service: Service) -> None:
    assert _keep(service) == 1


def test_totals_that_may_lack_hosts_are_not_kept(service: Service) -> None:
    assert _keep(service, complete=False) == 0


def test_what_is_stale_is_not_kept(service: Service) -> None:
    document = {"flavors": [flavor("fpga", 3, 8)], "complete": True}
    service.publication.publish(publication.AVAILABILITY, document, 15)
    service.publication.fail(publication.AVAILABILITY, "Placement does not answer")
    History(service).keep()
    assert _count(service) == 0
