# SPDX-License-Identifier: Apache-2.0
"""The networks of this host's instances: plugged, unplugged, and plugged again where they broke.

A port is plugged in steps: it is put on record, the interface is made, os-vif connects the host's
end, the container's end gets its addresses and both come up. Each step may be done again, and
`_unplug` undoes all of them whichever were done.
"""

import contextlib
import typing

import os_vif
import os_vif.exception
from nova.network import model, os_vif_util
from oslo_concurrency import lockutils
from oslo_log import log as logging
from oslo_privsep import daemon as privsep_daemon
from pyroute2.netlink.exceptions import NetlinkError

from novadocker import errors
from novadocker.engine import Engine
from novadocker.network import beside, events, interfaces, links, records, sandboxes
from novadocker.network.ports import Ports

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)

#: What the privileged process, the kernel and os-vif answer.
FAILURES = (
    os_vif.exception.ExceptionBase,
    NetlinkError,
    OSError,
    RuntimeError,
    ValueError,
    privsep_daemon.FailedToDropPrivileges,
)


class Network:
    """The networks of instances.

    :param engine: where their containers are
    :param virtapi: Nova's, which waits for Neutron's events
    """

    def __init__(self, engine: Engine, virtapi: typing.Any) -> None:
        self._sandboxes = sandboxes.Sandboxes(engine)
        self._virtapi = virtapi

    @contextlib.contextmanager
    def undone_on_failure(
        self, instance: "objects.Instance", ports: Ports
    ) -> typing.Iterator[None]:
        """Leave nothing of the network of an instance if what is done with it fails."""
        try:
            yield
        except BaseException:
            if ports.expected:
                self.remove(instance)
            raise

    @contextlib.contextmanager
    def built(self, instance: "objects.Instance", ports: Ports) -> typing.Iterator[None]:
        """Make the network of an instance beside what is done meanwhile; it is complete at the end.

        :raises errors.PlugFailed: with the reason
        :raises errors.EngineRefused, errors.EngineUnavailable: there is no sandbox
        :raises Exception: what Neutron's answer about the ports was
        """
        if not ports.expected:
            yield
            return

        def make() -> None:
            vifs = ports.all()
            if not vifs:
                return
            self.remove(instance)  # a crash left it
            with events.awaited(self._virtapi, instance, vifs):
                self._sandboxes.make(instance, vifs)
                self.plug(instance, vifs)

        with beside.run(make, f"network of {instance.uuid}"):
            yield

    def joined(self, instance: "objects.Instance", ports: Ports) -> str | None:
        """The container whose network an instance's own joins; waits for Neutron's ports.

        :returns: its name, though it may not be there yet; None without ports
        :raises Exception: what Neutron's answer about the ports was
        """
        return sandboxes.name_of(instance.uuid) if ports.all() else None

    def up(self, instance: "objects.Instance", vifs: typing.Sequence[model.VIF]) -> None:
        """Have the sandbox of an instance run, with all its ports.

        :raises errors.PlugFailed: with the reason
        :raises errors.EngineRefused, errors.EngineUnavailable: there is no sandbox
        """
        self._sandboxes.start(instance, vifs)
        self.plug(instance, vifs)

    def plug(self, instance: "objects.Instance", vifs: typing.Iterable[model.VIF]) -> None:
        """Plug ports into what runs of an instance; those that are plugged stay as they are.

        :raises errors.PlugFailed: with the reason; nothing of that port is left
        """
        namespace = self._sandboxes.namespace(instance.uuid)
        if namespace is None:
            LOG.info("Its ports are plugged when it is started", instance=instance)
            return
        for vif in vifs:
            with lockutils.lock(f"network-{instance.uuid}"):
                self._plug(instance, vif, namespace)

    def heal(self, instance: "objects.Instance", vifs: typing.Iterable[model.VIF]) -> None:
        """Plug again what was plugged and broke; logs what does not work.

        :param vifs: what Nova knows of them now; others are left out
        """
        known = {vif["id"] for vif in records.of(instance.uuid).values()}
        if known:
            self.plug_or_log(instance, [vif for vif in vifs if vif["id"] in known])

    def plug_or_log(self, instance: "objects.Instance", vifs: typing.Iterable[model.VIF]) -> None:
        """Plug ports where a failure must not stop the caller."""
        try:
            self.plug(instance, vifs)
        except (errors.PlugFailed, *errors.NO_ANSWER) as e:
            LOG.error("Its network is not complete: %s", e.message, instance=instance)

    def unplug(self, instance: "objects.Instance", port: str) -> None:
        """Unplug a port; one that was never plugged is as good.

        :raises errors.PlugFailed: something of it is left
        """
        with lockutils.lock(f"network-{instance.uuid}"):
            for name, vif in records.of(instance.uuid).items():
                if vif["id"] == port:
                    self._unplug(instance, name, vif)

    def down(self, instance: "objects.Instance") -> None:
        """Unplug all ports of an instance and stop its sandbox; logs what is left."""
        with self._logged(instance):
            self._sandboxes.stop(instance.uuid)
        self._unplug_all(instance)

    def remove(self, instance: "objects.Instance") -> None:
        """Unplug all ports of an instance and remove its sandbox; logs what is left.

        What is left is in `uuids`, so that Nova has the instance destroyed again.
        """
        with self._logged(instance):
            self._sandboxes.remove(instance.uuid)
        self._unplug_all(instance)

    def uuids(self) -> set[str]:
        """The instances of whose networks something may be here.

        :raises errors.EngineUnavailable: the engine does not answer
        """
        return {*self._sandboxes.uuids(), *records.uuids()}

    def _unplug_all(self, instance: "objects.Instance") -> None:
        with lockutils.lock(f"network-{instance.uuid}"):
            for name, vif in records.of(instance.uuid).items():
                with self._logged(instance):
                    self._unplug(instance, name, vif)

    def _plug(self, instance: "objects.Instance", vif: model.VIF, namespace: str) -> None:
        try:
            interface = interfaces.of(vif)
        except interfaces.UnservedPortError as e:
            raise errors.PlugFailed(str(e)) from e
        recorded = records.of(instance.uuid)
        names = (name for name, known in recorded.items() if known["id"] == vif["id"])
        name = next(names, None) or records.free_name(recorded)
        again = records.add(instance.uuid, name, vif)
        try:
            _connect(instance, interface, namespace, name, again)
        except BaseException as e:
            with self._logged(instance):
                self._unplug(instance, name, vif)
            if isinstance(e, FAILURES):
                raise errors.PlugFailed(f"port {vif['id']} is not plugged: {_text(e)}") from e
            raise

    def _unplug(self, instance: "objects.Instance", name: str, vif: model.VIF) -> None:
        """Undo all steps of a plug.

        :raises errors.PlugFailed: something is left, and the port stays on record
        """
        try:
            interface = interfaces.of(vif)
            links.remove(interface.host)
            initialize()
            os_vif.unplug(interface.vif, os_vif_util.nova_to_osvif_instance(instance))
        except (interfaces.UnservedPortError, *FAILURES) as e:
            raise errors.PlugFailed(f"port {vif['id']} is not unplugged: {_text(e)}") from e
        records.remove(instance.uuid, name)

    @contextlib.contextmanager
    def _logged(self, instance: "objects.Instance") -> typing.Iterator[None]:
        try:
            yield
        except (errors.PlugFailed, *errors.NO_ANSWER) as e:
            LOG.warning("Something of its network is left: %s", e.message, instance=instance)


def initialize() -> None:
    """Load os-vif and its plugins; a second call does nothing."""
    with lockutils.lock("os-vif"):
        os_vif.initialize()


def _connect(
    instance: "objects.Instance",
    interface: interfaces.Interface,
    namespace: str,
    name: str,
    again: bool,
) -> None:
    kind = interface.bridged, interface.userspace
    ends = interface.host, namespace, name, interface.mac, interface.mtu, *kind
    is_new = links.make(*ends)
    initialize()
    info = os_vif_util.nova_to_osvif_instance(instance)
    if is_new and again:
        # The userspace datapath holds on to the interface of this name that is gone. os-vif takes
        # the new one away with it.
        os_vif.unplug(interface.vif, info)
        links.make(*ends)
    os_vif.plug(interface.vif, info)
    links.connect(
        interface.host,
        namespace,
        name,
        interface.addresses,
        interface.routes,
        *kind,
    )


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
