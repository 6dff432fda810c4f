# SPDX-License-Identifier: Apache-2.0
"""Neutron with ML2/OVS in the place of the demo's ML2/OVN, on bridges of its own."""

import os
import pathlib
import shutil
import socket
import subprocess
import typing

from cloud import Cloud

from tests.support.host import wait_until

BRIDGE, _TUNNELS = "br-ml2", "br-ml2-tun"
_API = "neutron-api"
_AGENT = "Open vSwitch agent"
_CONTEXTS = (
    "privsep",
    "privsep_conntrack",
    "privsep_link",
    "privsep_namespace",
    "privsep_ovs_vsctl",
)

#: Networks of the demo stay in the database, of a type of OVN's.
_ML2 = """
[ml2]
type_drivers = vxlan,geneve,flat
tenant_network_types = vxlan
mechanism_drivers = openvswitch
extension_drivers = port_security
[ml2_type_vxlan]
vni_ranges = 1:1000
"""

_AGENT_OPTIONS = """
[DEFAULT]
use_stderr = true
host = {host}
state_path = {folder}
transport_url = {transport_url}
[agent]
tunnel_types = vxlan
root_helper = env
[ovs]
integration_bridge = {bridge}
tunnel_bridge = {tunnels}
local_ip = 127.0.0.1
datapath_type = netdev
of_listen_port = {port}
ovsdb_connection = unix:{run}/openvswitch/db.sock
[securitygroup]
firewall_driver = {firewall}
enable_security_group = {groups}
enable_ipset = false
[oslo_concurrency]
lock_path = {folder}
"""


class Ml2Ovs:
    """Neutron's API with another mechanism driver, its RPC server, and the agent of the host.

    :param host: the name of the compute host
    :param firewall: the agent's firewall driver
    """

    def __init__(self, cloud: Cloud, host: str, firewall: str) -> None:
        self._cloud = cloud
        self._folder = cloud.folder / "ml2-ovs"
        self._api = cloud.description(_API)
        self._etc = pathlib.Path(self._api["env"]["OS_NEUTRON_CONFIG_DIR"])
        self._values = {
            "host": host,
            "folder": self._folder,
            "run": cloud.folder / "run",
            "bridge": BRIDGE,
            "tunnels": _TUNNELS,
            "port": _free_port(),
            "firewall": firewall,
            # A hybrid plug needs none of the rules that its driver would put into the machine's own
            # tables.
            "groups": firewall == "openvswitch",
            "transport_url": _option(self._etc / "neutron.conf", "transport_url"),
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Put it in the place of the other, and wait until the agent is up."""
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._etc, self._folder)
        shutil.copymode(self._etc, self._folder)
        neutron = self._folder / "neutron.conf"
        # The router is OVN's.
        lines = neutron.read_text().splitlines()
        neutron.write_text(
            "\n".join(
                "service_plugins =" if one.startswith("service_plugins") else one for one in lines
            )
        )
        (self._folder / "ml2_conf.ini").write_text(_ML2)
        agent = _AGENT_OPTIONS.format(**self._values)
        for context in _CONTEXTS:
            agent += f"[{context}]\nhelper_command = {self._program('privsep-helper')}\n"
        (self._folder / "agent.ini").write_text(agent)
        for path in (self._folder, *self._folder.iterdir()):
            shutil.chown(path, self._api["user"], self._api["group"])
        env = self._api["env"] | {"OS_NEUTRON_CONFIG_DIR": str(self._folder)}
        self._cloud.start_as(self._api | {"env": env})
        self._run("neutron-rpc-server", "neutron.conf", "ml2_conf.ini")
        self._run("neutron-openvswitch-agent", "agent.ini")
        wait_until(self._agent_is_up, 300)

    def stop(self) -> None:
        """Put the other back."""
        for process in self._processes:
            # An agent that waits for an answer does not hear SIGTERM.
            process.kill()
            process.wait()
        switch = f"--db=unix:{self._cloud.folder}/run/openvswitch/db.sock"
        for bridge in (BRIDGE, _TUNNELS):
            subprocess.run(["ovs-vsctl", switch, "--if-exists", "del-br", bridge], check=True)
        network = self._cloud.api.network
        try:
            for agent in network.agents(agent_type=_AGENT):
                network.delete_agent(agent)
        finally:
            self._cloud.start_as(self._api)

    def _agent_is_up(self) -> bool:
        for process in self._processes:
            assert process.poll() is None, f"{process.args} has ended: see {self._folder}"
        agents = self._cloud.api.network.agents(agent_type=_AGENT)
        return any(agent.is_alive for agent in agents)

    def _run(self, name: str, *files: str) -> None:
        configuration = [f"--config-file={self._folder / file}" for file in files]
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [self._program(name), *configuration],
                    # The agent's ovs-ofctl looks for the bridge there.
                    env=os.environ | {"OVS_RUNDIR": f"{self._cloud.folder}/run/openvswitch"},
                    cwd=self._folder,
                    stdout=log,
                    stderr=log,
                )
            )

    def _program(self, name: str) -> str:
        return str(self._cloud.folder / "venv" / "cloud" / "bin" / name)


def _option(file: pathlib.Path, name: str) -> str:
    lines = [line.partition("=") for line in file.read_text().splitlines()]
    return next(value.strip() for key, _, value in lines if key.strip() == name)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return typing.cast(int, one.getsockname()[1])
