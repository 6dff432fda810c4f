# SPDX-License-Identifier: Apache-2.0
"""Starts what plugs ports before the first port comes: the privileged processes take seconds."""

import pathlib
import socket
import threading

from oslo_config import cfg
from oslo_log import log as logging
from vif_plug_ovs import privsep

from novadocker.network import links, network

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Seconds in which a local Open vSwitch accepts a connection.
_PATIENCE = 2


def start() -> None:
    """Begin in a thread, on a host that has Open vSwitch; others have no ports to plug."""
    threading.Thread(target=_run, name="network-warm-up", daemon=True).start()


def _run() -> None:
    try:
        network.initialize()
        if not switch_listens(CONF.os_vif_ovs.ovsdb_connection):
            LOG.info("Containers have no network here: Open vSwitch does not listen")
            return
        links.ready()
        if privsep.vif_plug.channel is None:
            privsep.vif_plug.start()
    except network.FAILURES as e:
        LOG.warning("The first port will not be plugged, or late: %s", e)


def switch_listens(connection: str) -> bool:
    """Whether Open vSwitch's database accepts connections.

    :param connection: `[os_vif_ovs] ovsdb_connection`, such as ``tcp:127.0.0.1:6640``
    """
    method, _, address = connection.partition(":")
    if method == "unix":
        return pathlib.Path(address).is_socket()
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
    except (OSError, ValueError):
        return False
    return True
