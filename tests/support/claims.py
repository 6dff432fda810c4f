# SPDX-License-Identifier: Apache-2.0
"""A cloud for claims: the API and the engine, a real Placement, and hosts in memory."""

import contextlib
import time
import typing
import uuid

from keystoneauth1 import adapter as adapters

from fpga_api import publication, service
from fpga_api.claims import work
from fpga_api.db import claims, schema
from fpga_nova import traits
from fpga_nova.request import RESOURCE_CLASS
from tests.support import api as support
from tests.support.fpga_host import FakeHost, FakeHosts
from tests.support.placement import Placement

#: The image that everybody sees, and its board.
IMAGE = str(uuid.UUID(int=77))
BOARD = traits.name("board", "emulator")

_PATIENCE = 60  # seconds


class ClaimsService(service.Service):
    """A service whose Placement is in process, and whose Glance has one bitstream."""

    def __init__(self, placement: Placement, **groups: dict[str, typing.Any]) -> None:
        super().__init__(support.configuration(**groups))
        self._placement = placement

    def adapter(self, service_type: str, user: typing.Any = None) -> adapters.Adapter:
        """The client of a service type."""
        return self._placement.adapter(service_type)


class Cloud:
    """The parts, and what one looks at.

    :param hosts: by name
    :param cards: whether each card is a provider of its own
    :param groups: values of options by group
    """

    def __init__(
        self,
        placement: Placement,
        database: str,
        hosts: dict[str, FakeHost],
        url: str = "fake://",
        /,
        **groups: dict[str, typing.Any],
    ) -> None:
        self.placement = placement
        self.hosts = hosts
        of_parts = {"hosts": {"transport_url": url}, "database": {"connection": database}}
        groups = of_parts | groups
        self.service = ClaimsService(placement, **groups)
        schema.sync(self.service.database)
        self.providers = {name: self._provide(name, host) for name, host in hosts.items()}
        placement.documents["image", f"/v2/images/{IMAGE}"] = image()
        self.publish()
        self.work = work.Work(self.service)
        self.api = support.Api(self.service)

    def _provide(self, name: str, host: FakeHost) -> str:
        inventory = {RESOURCE_CLASS: {"total": len(host.owners)}}
        return self.placement.add(name, inventory, [traits.FPGA, BOARD])

    def publish(self) -> None:
        """Have the engine see the hosts."""
        cards = [
            {
                "id": self.providers[name],
                "name": name,
                "host": name,
                "devices": [host.device],
                "vendors": ["fpga-nova"],
                "boards": ["emulator"],
                **dict.fromkeys(("total", "free", "used", "quarantined")),
            }
            for name, host in self.hosts.items()
        ]
        document = {"cards": cards, "regions": [], "unreachable": []}
        document["traits"] = [traits.FPGA, BOARD]
        self.service.publication.publish(publication.HOSTS, document, 1e6)

    def claim(self, persona: str = "admin", **body: typing.Any) -> typing.Any:
        """Ask for a claim; the answer."""
        return self.api.call("POST", "/v1/claims", persona, json=body)

    def show(self, claim_id: str, persona: str = "admin") -> typing.Any:
        """A claim."""
        return self.api.call("GET", f"/v1/claims/{claim_id}", persona).json["claim"]

    def settle(self, *claim_ids: str) -> list[str]:
        """Let the engine work until nothing is to be done; the states."""
        end = time.monotonic() + _PATIENCE
        busy = {claims.ALLOCATING, claims.PROGRAMMING, claims.RELEASING}
        while True:
            self.work.run()
            found = [claims.get(self.service.database, one) for one in claim_ids]
            states = [one.state for one in found if one is not None]
            if not busy & set(states):
                return states
            assert time.monotonic() < end, states
            time.sleep(0.05)

    def allocated(self) -> dict[str, str]:
        """The consumers of all hosts, by id the name of the host."""
        found = {}
        for name, provider in self.providers.items():
            answer = self.placement.ask("GET", f"/resource_providers/{provider}/allocations")
            found |= dict.fromkeys(answer["allocations"], name)
        return found

    def owners(self) -> set[str]:
        """Who has a region."""
        return {owner for host in self.hosts.values() for owner in host.used}


def image(image_id: str = IMAGE, **changes: typing.Any) -> dict[str, typing.Any]:
    """An image as Glance shows it."""
    return {
        "id": image_id,
        "name": "crc32",
        "status": "active",
        "visibility": "public",
        "tags": ["FPGA"],
        "container_format": "fpga",
        "board": "emulator",
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
        **changes,
    }


@contextlib.contextmanager
def cloud(
    placement: Placement,
    database: str,
    hosts: dict[str, FakeHost],
    url: str = "fake://",
    /,
    **groups: typing.Any,
) -> typing.Iterator[Cloud]:
    """A cloud, and tokens for the personas; nothing of it stays in Placement.

    :param url: of the broker
    """
    with support.Tokens(), FakeHosts(url, **hosts):
        found = Cloud(placement, database, hosts, url, **groups)
        yield found
        for consumer in found.allocated():
            placement.release(consumer)
        for provider in found.providers.values():
            placement.remove(provider)
        found.service.database.engine.dispose()
