# SPDX-License-Identifier: Apache-2.0
"""Keeps samples of the counts in the database: tasks of the engine."""

import datetime

from oslo_log import log as logging

from fpga_api import clock, publication
from fpga_api.db import samples
from fpga_api.service import Service

LOG = logging.getLogger(__name__)


class History:
    """Keeps what was published, and deletes what is old."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._last: datetime.datetime | None = None

    def keep(self) -> None:
        """Keep a sample of each flavor; none where nothing new was published since the last one.

        While totals may lack hosts, after a start, there are none either.

        :raises fpga_api.errors.DatabaseUnavailable: the database does not answer
        :raises fpga_api.errors.CacheUnavailable: the cache does not answer
        """
        found = self._service.publication.read(publication.AVAILABILITY)
        if found is None or found.at == self._last or found.stale:
            return
        if not found.document["complete"]:
            return
        new = [
            samples.Sample(one["id"], found.at, one["total"], one["free"])
            for one in found.document["flavors"]
            if one["error"] is None
        ]
        samples.add(self._service.database, new)
        self._last = found.at

    def purge(self) -> None:
        """Delete the samples that are older than ``[availability] sample_days``.

        :raises fpga_api.errors.DatabaseUnavailable: the database does not answer
        """
        days = self._service.conf.availability.sample_days
        before = clock.now() - datetime.timedelta(days=days)
        count = samples.purge(self._service.database, before)
        if count:
            LOG.info("Deleted %d samples from before %s", count, clock.text(before))
