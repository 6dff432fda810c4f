# SPDX-License-Identifier: Apache-2.0
"""Ports of instances, as Nova's driver interface asks for them."""

import functools
import time
import typing

from nova.network import model
from oslo_log import log as logging

from novadocker import errors
from novadocker.network import events, interfaces, network, ports

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

LOG = logging.getLogger(__name__)

_Any = typing.Any


class NetworkActions:
    """The part of a driver that changes networks.

    :ivar network: those of this host's instances
    """

    network: network.Network

    def plug_vifs(self, instance: "objects.Instance", network_info: _Any) -> None:
        """Mend the network of an instance; ports that it did not have are left to its next start.

        Nova calls this for each instance when it starts, and would not start if it raised.
        """
        self.network.heal(instance, served(instance, network_info))

    def unplug_vifs(self, instance: "objects.Instance", network_info: _Any) -> None:
        """Unplug ports.

        :raises errors.PlugFailed: something is left of one
        """
        for vif in network_info or ():
            self.network.unplug(instance, vif["id"])

    def attach_interface(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_meta: "objects.ImageMeta",
        vif: "model.VIF",
    ) -> None:
        """Plug a port into a container that runs; another gets it when it is started.

        :raises errors.PlugFailed: with the reason; nothing of the port is left
        """
        self.network.plug(instance, [vif])

    def detach_interface(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        vif: "model.VIF",
    ) -> None:
        """Unplug a port; one that names the server and was never plugged is as good.

        :raises errors.PlugFailed: something of it is left
        """
        self.network.unplug(instance, vif["id"])


def required(instance: "objects.Instance", network_info: _Any) -> ports.Ports:
    """The ports of an instance that is built, each of which its container must have.

    :raises errors.NotServed: it cannot have one; where Neutron is at them still, their end says so
    """
    if isinstance(network_info, model.NetworkInfoAsyncWrapper):  # Neutron may be at them still
        start = time.monotonic()
        find = functools.partial(_allocated, instance, network_info, start)
        return ports.Ports.awaited(find, f"ports of {instance.uuid}")
    return ports.Ports.known(_all_served(instance, network_info))


def _allocated(instance: "objects.Instance", network_info: _Any, start: float) -> "list[model.VIF]":
    vifs = list(network_info)
    if vifs:
        events.log_wait(start, "allocate its ports", instance)
    return _all_served(instance, vifs)


def _all_served(instance: "objects.Instance", network_info: _Any) -> "list[model.VIF]":
    """All ports of an instance.

    :raises errors.NotServed: its container cannot have one of them
    """
    vifs = list(network_info or ())
    for vif in vifs:
        try:
            interfaces.of(vif)
        except interfaces.UnservedPortError as e:
            raise errors.NotServed(instance.uuid, str(e)) from e
    return vifs


def served(instance: "objects.Instance", network_info: _Any) -> "list[model.VIF]":
    """The ports that the container of an instance can have; logs the others.

    Any user can make a port that names a server of their own. Bound to nowhere, it must not keep
    the server from starting.
    """
    found = []
    for vif in network_info or ():
        try:
            interfaces.of(vif)
        except interfaces.UnservedPortError as e:
            LOG.warning("A port is ignored: %s", e, instance=instance)
        else:
            found.append(vif)
    return found
