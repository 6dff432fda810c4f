# SPDX-License-Identifier: Apache-2.0
"""An Open vSwitch of the tests' own, in a network namespace that stands for a host.

The test process stays where it is. The privileged processes of nova-compute start in the namespace,
so that what they make is there, and goes with it.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import typing

import os_vif
import vif_plug_ovs.privsep
from oslo_config import cfg

from novadocker.network import privilege

CONF = cfg.CONF

_CONTEXTS = (privilege.context, vif_plug_ovs.privsep.vif_plug)

_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_READY = 30  # seconds

BRIDGE = "br-int"


class Switch:
    """ovsdb-server and ovs-vswitchd with one bridge of the userspace datapath.

    :param namespaces: where the engine has the network namespaces of containers
    :raises RuntimeError: it cannot be run here, with what to do
    """

    def __init__(self, namespaces: pathlib.Path) -> None:
        if shutil.which("ovs-vswitchd", path=_PATH) is None:
            raise RuntimeError(
                "ovs-vswitchd is missing - run 'apt-get install openvswitch-switch nftables'"
            )
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ovs-", dir="/tmp"))
        self.host = f"fpga-nova-test-{self.folder.name}"
        self.connection = f"unix:{self.folder}/db.sock"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._configuration = self.folder / "nova.conf"
        self._configuration.write_text(f"[docker]\nnetwork_namespaces = {namespaces}\n")

    def start(self) -> None:
        """Make the namespace and the database, and start both daemons."""
        self._run("ip", "netns", "add", self.host)
        self.on_host("ip link set lo up")
        self._run("ovsdb-tool", "create", f"{self.folder}/conf.db", _SCHEMA)
        self._start("ovsdb-server", f"--remote=p{self.connection}", f"{self.folder}/conf.db")
        self._wait("ovs-vsctl", f"--db={self.connection}", "--no-wait", "init")
        self.start_vswitchd()
        self.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev")

    def start_vswitchd(self) -> None:
        """Start ovs-vswitchd and wait until it answers."""
        self._start("ovs-vswitchd", self.connection, "--unixctl", f"{self.folder}/ctl")
        self._wait("ovs-appctl", "-t", f"{self.folder}/ctl", "version")

    def kill_vswitchd(self) -> None:
        """Kill ovs-vswitchd, as a crash does."""
        self._daemons["ovs-vswitchd"].kill()
        self._daemons.pop("ovs-vswitchd").wait()

    def remove(self) -> None:
        """Stop it and remove all that it made."""
        for daemon in self._daemons.values():
            daemon.terminate()
        for daemon in self._daemons.values():
            daemon.wait(30)
        subprocess.run(["ip", "netns", "del", self.host], check=False)
        shutil.rmtree(self.folder)

    def helper(self) -> str:
        """The command that starts a privileged process on this host."""
        program = pathlib.Path(sys.executable).with_name("privsep-helper")
        enter = f"nsenter --net=/run/netns/{self.host}"
        return f"{enter} {program} --config-file {self._configuration}"

    def vsctl(self, *words: str) -> str:
        """What ovs-vsctl prints."""
        return self._run("ovs-vsctl", "--timeout=20", f"--db={self.connection}", *words).strip()

    def ports(self) -> list[str]:
        """The ports of the bridge."""
        return self.vsctl("list-ports", BRIDGE).split()

    def on_host(self, line: str) -> str:
        """What a line of shell prints in the host's network namespace."""
        return self._run("ip", "netns", "exec", self.host, "sh", "-c", line)

    def popen_on_host(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a program in the host's network namespace."""
        enter = ["nsenter", f"--net=/run/netns/{self.host}"]
        return subprocess.Popen([*enter, *words], stdout=subprocess.PIPE)

    def remainder(self) -> list[str]:
        """Interfaces, ports and chains of containers on this host."""
        links = self.on_host("ls /sys/class/net").split()
        return [
            *(link for link in links if link.startswith(("tap", "qvo", "qvb", "qbr"))),
            *self.ports(),
            *self.on_host("nft list tables").splitlines(),
        ]

    def _start(self, program: str, *words: str) -> None:
        found = shutil.which(program, path=_PATH)
        assert found
        with (self.folder / f"{program}.log").open("ab") as log:
            self._daemons[program] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.host}", found, *words],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self._environment(),
            )

    def _wait(self, *command: str) -> None:
        end = time.monotonic() + _READY
        while True:
            try:
                self._run(*command)
                return
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment())
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            **os.environ,
            "PATH": _PATH,
            "OVS_RUNDIR": folder,
            "OVS_LOGDIR": folder,
            "OVS_DBDIR": folder,
        }


@contextlib.contextmanager
def plugging(namespaces: pathlib.Path) -> typing.Iterator[Switch]:
    """A switch that this process plugs ports into, with its privileged processes.

    :param namespaces: where the engine has the network namespaces of containers
    """
    found = Switch(namespaces)
    try:
        found.start()
        os_vif.initialize()
        # The plugin reads it once, when it is loaded.
        CONF.set_override("ovsdb_connection", found.connection, group="os_vif_ovs")
        os_vif.initialize(reset=True)
        # Nova's tests let nobody start one later.
        for context in _CONTEXTS:
            CONF.set_override("helper_command", found.helper(), group=context.cfg_section)
            context.start()
        yield found
        # Its thread would look for the switch until the tests end.
        os_vif._EXT_MANAGER["ovs"].obj.ovsdb.ovsdb.ovsdb_connection.stop()
    finally:
        for context in _CONTEXTS:
            context.stop()
        found.remove()
