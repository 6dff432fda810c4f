# SPDX-License-Identifier: Apache-2.0
"""The engine's task that follows programs to their end: the hosts know what came of them."""

import typing

from oslo_log import log as logging

from fpga_api import clock, errors
from fpga_api.db import programs
from fpga_api.db.programs import Program
from fpga_api.hosts import calls, works
from fpga_api.hosts.calls import Refusal, Unknown
from fpga_api.programs import answers
from fpga_api.service import Service

LOG = logging.getLogger(__name__)

#: Seconds from one look at the programs to the next, and hosts that are asked at a time.
INTERVAL, _WORKERS = 0.5, 8

#: Seconds that a host has to answer once it has waited so long for the end of the program, and to
#: get a program that the API sent.
_TIMEOUT, _WAIT, _ARRIVAL = 5.0, 2.0, 30.0


class Follow:
    """The programs of all projects, on the way to their ends.

    :raises oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure: `[hosts]
        transport_url` is not the URL of a broker
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database
        self._calls = calls.of(service)
        self._works = works.Works("Program", _WORKERS)

    def run(self) -> None:
        """Look once, and begin to ask.

        :raises errors.DatabaseUnavailable: the database does not answer
        """
        found = programs.busy(self._database)
        self._works.begin({program.id: program for program in found}, self._follow)

    def _follow(self, program: Program) -> None:
        question = {"server": program.server_id, "program_id": program.id, "wait": _WAIT}
        host = program.host or ""
        try:
            answer = self._calls.call(host, "program_status", _TIMEOUT + _WAIT, None, **question)
        except (Unknown, errors.BrokerUnavailable) as e:
            self._wait(program, self._service.conf.programs.timeout, str(e))
            return
        if isinstance(answer, Refusal):
            self._refused(program, answer)
            return
        changes = answers.values(answer.get("program"))
        if changes is None:
            # The host does not know it: it never got it, or has had another one since.
            arrival = _ARRIVAL if program.state == programs.REQUESTED else 0.0
            self._wait(program, arrival, "the host does not know the program")
        elif changes["state"] in programs.ENDED or program.state == programs.REQUESTED:
            self._change(program, changes)

    def _refused(self, program: Program, refusal: Refusal) -> None:
        patience = self._service.conf.programs.timeout if refusal.code == "unanswered" else 0.0
        self._wait(program, patience, refusal.message)

    def _wait(self, program: Program, patience: float, why: str) -> None:
        """Ask again with the next look; after a time the program is lost."""
        if (clock.now() - program.created_at).total_seconds() > patience:
            self._change(program, {"state": programs.LOST, "code": "host.lost", "fault": why})

    def _change(self, program: Program, changes: dict[str, typing.Any]) -> None:
        if programs.change(self._database, program.id, programs.BUSY, **changes):
            LOG.info("Program %s of server %s: %s", program.id, program.server_id, changes)
