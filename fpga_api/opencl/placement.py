# SPDX-License-Identifier: Apache-2.0
"""Devices of OpenCL in Placement: each is a resource provider of its own, by its id.

A node is no compute host of Nova's, so its devices are in no other tree. What is in Placement
follows what nodes registered; sessions are its consumers.
"""

import typing

from keystoneauth1 import adapter as adapters
from keystoneauth1 import exceptions
from oslo_log import log as logging

from fpga_api import errors
from fpga_api.db.opencl_nodes import Device
from fpga_api.db.opencl_sessions import Session
from fpga_api.opencl import devices
from fpga_api.opencl.devices import Place
from fpga_api.opencl.nodes import is_up
from fpga_api.service import Service
from fpga_nova import contract

LOG = logging.getLogger(__name__)

#: Seconds from one look at the providers to the next.
INTERVAL = 10.0

SESSIONS, MEMORY = "CUSTOM_OPENCL_SESSION", "CUSTOM_OPENCL_MEMORY_MB"
#: Of all providers of ours, and of no others.
DEVICE = "CUSTOM_OPENCL_DEVICE"
CONSUMER = "OPENCL_SESSION"

#: Characters of a node's name in that of a provider, for which Placement has 200.
_MOST = 128

_VERSION = contract.CLAIM_MICROVERSION

Document = dict[str, typing.Any]


def resources(session: Session) -> dict[str, int]:
    """What a session has of its device."""
    return {SESSIONS: 1, MEMORY: session.memory_mb}


class Providers:
    """The providers of all devices, which the engine keeps as nodes registered them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._names_known = False

    def sync(self) -> None:
        """Add, change and remove providers where Placement has something else.

        :raises errors.Unavailable: Placement or the database does not answer
        """
        try:
            self._sync()
        except (exceptions.ClientException, ValueError, KeyError) as e:
            raise errors.CloudUnavailable(f"Placement does not answer: {e}") from e

    def ensure(self, place: Place) -> None:
        """Have a provider for a device, whatever it has.

        :raises errors.CloudUnavailable: Placement does not answer, or refuses
        """
        try:
            try:
                self._ask("GET", f"/resource_providers/{place[0].id}")
            except exceptions.NotFound:
                self.put(place)
        except (exceptions.ClientException, ValueError, KeyError) as e:
            raise errors.CloudUnavailable(f"Placement does not answer: {e}") from e

    def put(self, place: Place) -> None:
        """Have a provider for a device; it is full while its node is lost.

        :raises keystoneauth1.exceptions.ClientException: Placement does not answer, or refuses
        """
        device, node = place
        self._know_names()
        path = f"/resource_providers/{device.id}"
        wanted = _inventories(device, is_up(self._service.conf, node))
        try:
            found = self._ask("GET", f"{path}/inventories")
        except exceptions.NotFound:
            self._ask("POST", "/resource_providers", {"uuid": device.id, "name": _name(place)})
            found = self._ask("GET", f"{path}/inventories")
        generation = found["resource_provider_generation"]
        if not _same(found["inventories"], wanted):
            body = {"resource_provider_generation": generation, "inventories": wanted}
            answer = self._ask("PUT", f"{path}/inventories", body)
            generation = answer["resource_provider_generation"]
        if DEVICE not in self._ask("GET", f"{path}/traits")["traits"]:
            traits = [DEVICE, f"CUSTOM_OPENCL_{device.type.upper()}"]
            body = {"resource_provider_generation": generation, "traits": traits}
            self._ask("PUT", f"{path}/traits", body)

    def _sync(self) -> None:
        self._know_names()
        wanted = devices.places(self._service.database)
        found = self._ask("GET", f"/resource_providers?required={DEVICE}")["resource_providers"]
        for place in wanted:
            try:
                self.put(place)
            except exceptions.Conflict as e:
                # Somebody else changes it, or sessions still have more than there is now.
                LOG.info("Device %s is not changed in Placement now: %s", place[0].id, e)
            except exceptions.BadRequest as e:
                LOG.warning("Placement refuses device %s: %s", place[0].id, e)
        for provider in {one["uuid"] for one in found} - {device.id for device, _ in wanted}:
            try:
                self._ask("DELETE", f"/resource_providers/{provider}")
            except exceptions.Conflict:
                LOG.info("Device %s is gone, and sessions still have it", provider)

    def _know_names(self) -> None:
        """Have the classes and traits."""
        if self._names_known:
            return
        for name in (SESSIONS, MEMORY):
            self._ask("PUT", f"/resource_classes/{name}")
        for kind in ("DEVICE", "CPU", "GPU", "ACCELERATOR", "OTHER"):
            self._ask("PUT", f"/traits/CUSTOM_OPENCL_{kind}")
        self._names_known = True

    def _ask(self, method: str, path: str, body: Document | None = None) -> Document:
        adapter: adapters.Adapter = self._service.adapter("placement")
        more = {} if body is None else {"json": body}
        answer = adapter.request(path, method, microversion=_VERSION, **more)
        return dict(answer.json()) if answer.content else {}


def _name(place: Place) -> str:
    """A name that no other provider has: one that is gone may have sessions still."""
    device, node = place
    return f"opencl:{node.name[:_MOST]}:{device.number}:{device.id}"


def _inventories(device: Device, up: bool) -> dict[str, dict[str, int]]:
    totals = {SESSIONS: device.sessions, MEMORY: device.memory_mb}
    # Placement refuses an inventory of nothing.
    return {
        name: {"total": total, "reserved": 0 if up else total, "max_unit": total}
        for name, total in totals.items()
        if total
    }


def _same(found: Document, wanted: typing.Mapping[str, Document]) -> bool:
    return found.keys() == wanted.keys() and all(
        found[name].get(key) == value
        for name, amounts in wanted.items()
        for key, value in amounts.items()
    )
