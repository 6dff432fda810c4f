# SPDX-License-Identifier: Apache-2.0
"""The engine's task that ends sessions: those whose time is over, and those of lost nodes."""

import datetime

from oslo_log import log as logging

from fpga_api import clock
from fpga_api.db import opencl_nodes as nodes
from fpga_api.db import opencl_sessions as sessions
from fpga_api.service import Service

LOG = logging.getLogger(__name__)

#: Seconds from one look at the sessions to the next.
INTERVAL = 0.5

LOST = ("fpga.node_lost", "the node sent no heartbeat for too long")


class Work:
    """The sessions of all projects, on the way to their end."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database

    def run(self) -> None:
        """Look once, and end what is to end.

        :raises errors.DatabaseUnavailable: the database does not answer
        """
        now = clock.now()
        for session in sessions.expired(self._database, now):
            end = {"state": sessions.CLOSING, "outcome": sessions.EXPIRED}
            if sessions.change(self._database, session.id, (sessions.ACTIVE,), **end):
                LOG.info("Session %s of project %s expires", session.id, session.project_id)
        # The database has times to the second.
        ttl = datetime.timedelta(seconds=self._service.conf.opencl.node_ttl + 1)
        for node in nodes.silent(self._database, now - ttl):
            with self._database.begin() as connection:
                sessions.lose(connection, node.id, *LOST)
        for session in sessions.gone(self._database):
            self._finish(session)

    def _finish(self, session: sessions.Session) -> None:
        outcome = session.outcome or sessions.CLOSED
        LOG.info("Session %s of project %s is %s", session.id, session.project_id, outcome)
        sessions.change(self._database, session.id, (sessions.CLOSING,), state=outcome)
