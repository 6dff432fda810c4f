# SPDX-License-Identifier: Apache-2.0
"""The engine's task that ends sessions: those whose time is over, and those of lost nodes."""

import datetime

from oslo_log import log as logging

from fpga_api import clock
from fpga_api.claims.allocations import Allocations
from fpga_api.db import opencl_nodes as nodes
from fpga_api.db import opencl_sessions as sessions
from fpga_api.service import Service

LOG = logging.getLogger(__name__)

#: Seconds from one look at the sessions to the next.
INTERVAL = 0.5

#: After so long, the API is taken for gone that was to allocate a session.
_ALLOCATING = datetime.timedelta(seconds=120)

UNALLOCATED = ("fpga.unavailable", "the API ended while it allocated the session")
LOST = ("fpga.node_lost", "the node sent no heartbeat for too long")


class Work:
    """The sessions of all projects, on the way to their end."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database
        self._allocations = Allocations(service)

    def run(self) -> None:
        """Look once, and end what is to end.

        :raises errors.Unavailable: the database or Placement does not answer
        """
        now = clock.now()
        for session in sessions.expired(self._database, now):
            end = {"state": sessions.CLOSING, "outcome": sessions.EXPIRED}
            if sessions.change(self._database, session.id, (sessions.ACTIVE,), **end):
                LOG.info("Session %s of project %s expires", session.id, session.project_id)
        for session in sessions.stuck(self._database, now - _ALLOCATING):
            self._give_up(session)
        # The database has times to the second.
        ttl = datetime.timedelta(seconds=self._service.conf.opencl.node_ttl + 1)
        for node in nodes.silent(self._database, now - ttl):
            with self._database.begin() as connection:
                sessions.lose(connection, node.id, *LOST)
        for session in sessions.gone(self._database):
            self._finish(session)

    def _give_up(self, session: sessions.Session) -> None:
        """End a session that did not get its allocation; no node knows of it."""
        sessions.change(
            self._database,
            session.id,
            (sessions.ALLOCATING,),
            state=sessions.CLOSING,
            outcome=sessions.LOST,
            gone=True,
            code=UNALLOCATED[0],
            fault=UNALLOCATED[1],
        )

    def _finish(self, session: sessions.Session) -> None:
        if self._service.conf.opencl.placement:
            self._allocations.free(session.id)
        outcome = session.outcome or sessions.CLOSED
        LOG.info("Session %s of project %s is %s", session.id, session.project_id, outcome)
        sessions.change(self._database, session.id, (sessions.CLOSING,), state=outcome)
