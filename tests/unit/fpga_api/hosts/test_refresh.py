# SPDX-License-Identifier: Apache-2.0
"""What is published of hosts is as old as the question to them."""

import typing

from fpga_api import clock
from fpga_api.hosts import refresh
from fpga_api.service import Service
from tests.support import api as support


class Slow(refresh.Hosts):
    """Hosts that answer late.

    :ivar began: when they were asked
    """

    def collect(self) -> dict[str, typing.Any]:
        """Nothing, after a while."""
        self.began = clock.now()
        while clock.text(clock.now()) == clock.text(self.began):
            pass
        return {"regions": []}


def test_hosts_are_as_old_as_the_question_to_them() -> None:
    service = Service(support.configuration(hosts={"transport_url": "fake://"}))
    hosts = Slow(service)
    hosts.refresh()
    found = service.publication.require("hosts")
    assert found.at <= hosts.began
