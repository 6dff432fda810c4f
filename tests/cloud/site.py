# SPDX-License-Identifier: Apache-2.0
"""Local hosts and the file of a cloud on them, with the commands that a user has for both."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import typing

import yaml

ROOT = pathlib.Path(__file__).parents[2]

#: Debian of the hosts, and where OpenStack's programs come from.
SUITE, INSTALL = os.environ.get("SUITE", "bookworm"), os.environ.get("INSTALL", "venv")
_SYSTEMS = {"bookworm": "debian-12", "trixie": "debian-13"}
_RELEASES = {
    "venv": {"bookworm": "2026.2", "trixie": "2026.2"},
    "packages": {"bookworm": "2022.2", "trixie": "2025.1"},
}

#: Where the cloud is on its hosts.
FOLDER = "/var/lib/fpga-nova/cloud"

#: Whether servers have networks.
NETWORKS = INSTALL == "venv"

#: Seconds that a verb of cloud.sh, and a command on a host, may take.
_VERB, _COMMAND = 1500, 300

#: Where Debian roots are cached.
ROOTS = os.environ.get("ROOTS_DIR") or "/var/lib/fpga-nova/roots"

Text = subprocess.CompletedProcess[str]


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of the file.

    :param number: of the last byte of its address, from 11 on
    :param regions: of its emulated card; 0: it has none
    :param part: of the card's regions; the default of the driver if it is empty
    :param opencl: whether it is a node of OpenCL
    :param agent: whether it has a region of OpenCL, whose kernels run on the nodes
    """

    name: str
    number: int
    roles: tuple[str, ...] = ("compute",)
    regions: int = 0
    part: str = ""
    modules: tuple[str, ...] = ()
    opencl: bool = False
    agent: bool = False


CONTROLLER = Node("controller", 11, ("controller",), modules=("database", "messaging", "content"))
COMPUTE1 = Node("compute1", 12, regions=2)
COMPUTE2 = Node("compute2", 13)
COMPUTE3 = Node("compute3", 14, regions=2)


class Site:
    """The local hosts and the clouds of a folder.

    :param folder: of all that is made
    :param subnet: the first three bytes of the hosts' addresses
    """

    def __init__(self, folder: pathlib.Path, subnet: str) -> None:
        self.folder, self.subnet = folder, subnet
        self.name = "e2e"
        self.nodes: tuple[Node, ...] = ()
        #: What the first `up` printed; empty if the cloud was kept by an earlier run.
        self.first_up = ""

    @property
    def hosts_folder(self) -> pathlib.Path:
        """HOSTS_DIR of the commands."""
        return self.folder / "hosts"

    @property
    def cloud_folder(self) -> pathlib.Path:
        """The folder that cloud.sh keeps for the cloud."""
        return self.folder / "clouds" / self.name

    @property
    def file(self) -> pathlib.Path:
        """The file that describes the cloud."""
        return self.folder / "cloud.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the commands."""
        folders = {
            "HOSTS_DIR": str(self.hosts_folder),
            "CLOUDS_DIR": str(self.folder / "clouds"),
            "ROOTS_DIR": ROOTS,
        }
        return os.environ | folders

    def address(self, node: Node) -> str:
        """Where a node is."""
        return f"{self.subnet}.{node.number}"

    def tunnel(self, node: Node) -> str:
        """Where a node's tunnels begin, in a network of their own."""
        one, two, three = map(int, self.subnet.split("."))
        return f"{one}.{two + 1}.{three}.{node.number}/24"

    def describe(self, *nodes: Node, **changes: typing.Any) -> None:
        """Write the file of the cloud.

        :param changes: keys of the file, in place of those that it has
        """
        self.nodes = nodes
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "name": self.name,
            "base_user": "root",
            "distribution": _SYSTEMS[SUITE],
            "release": _RELEASES[INSTALL][SUITE],
            "configuration": {"install": INSTALL},
            "nodes": [self._node(node) for node in nodes],
        }
        self.file.write_text(yaml.safe_dump(content | changes, sort_keys=False))

    def _node(self, node: Node) -> dict[str, typing.Any]:
        entry: dict[str, typing.Any] = {
            "name": node.name,
            "address": self.address(node),
            "roles": list(node.roles),
        }
        if "compute" in node.roles and NETWORKS:
            entry["tunnel"] = {"interface": "eth1", "address": self.tunnel(node)}
        if node.modules:
            entry["modules"] = list(node.modules)
        if node.regions:
            entry["fpga"] = {"drivers": ["emulator"], "regions": node.regions}
        if node.part:
            entry["fpga"]["options"] = {"emulator": {"parts": node.part}}
        if node.agent:
            options = {"regions": 1, "agent": f"{FOLDER}/run/opencl-agent/socket"}
            entry["fpga"] = {"drivers": ["opencl"], "options": {"opencl": options}}
        if node.opencl:
            entry["opencl"] = {"sessions": 2}
        return entry

    def up(self) -> str:
        """Have the hosts of the file run, and the cloud on them; what cloud.sh prints."""
        return self.verb("up", "--local").stdout

    def mend(self) -> None:
        """Have the hosts of the file run and be reached, whatever an earlier test did to them."""
        for node in self.nodes:
            self.hosts("start", node.name)
            self.hosts("join", node.name)

    def hosts(self, *words: str, check: bool = True) -> str:
        """Call hosts.py; what it prints."""
        program = [sys.executable, "-B", str(ROOT / "build_scripts/hosts.py")]
        return _done([*program, *words], check, _VERB, self.environment).stdout

    def inside(self, name: str, line: str, check: bool = True) -> str:
        """What a line of shell prints in a host, without its network."""
        return self.hosts("exec", name, "sh", "-c", line, check=check).strip()

    def verb(self, verb: str, *options: str, check: bool = True, timeout: float = _VERB) -> Text:
        """Call a verb of cloud.sh on the file."""
        return _done(self.words(verb, *options), check, timeout, self.environment)

    def words(self, verb: str, *options: str) -> list[str]:
        """The command line of a verb of cloud.sh."""
        return [str(ROOT / "build_scripts/cloud.sh"), verb, str(self.file), *options]

    def begin(self, verb: str, *options: str) -> "subprocess.Popen[str]":
        """Call a verb of cloud.sh, and do not wait for its end; its output is one stream."""
        return subprocess.Popen(
            self.words(verb, *options),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def ssh(self, name: str, line: str, check: bool = True, timeout: float = _COMMAND) -> Text:
        """Run a line of shell on a host, by SSH."""
        options = ["-F", str(self.hosts_folder / "ssh/config"), "-o", "BatchMode=yes"]
        return _done(["ssh", *options, name, line], check, timeout, self.environment)

    def pipe(self, name: str, line: str, content: bytes) -> bytes:
        """What a line of shell on a host makes of its standard input."""
        words = ["ssh", "-F", str(self.hosts_folder / "ssh/config"), "-o", "BatchMode=yes"]
        done = subprocess.run(
            [*words, name, line], input=content, capture_output=True, timeout=_COMMAND, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, name: str, line: str, timeout: float = _COMMAND) -> str:
        """What a line of shell prints on a host."""
        return self.ssh(name, line, timeout=timeout).stdout.strip()

    def remove(self) -> None:
        """Remove the hosts and the folder, whatever is there."""
        self.hosts("down")
        shutil.rmtree(self.folder, ignore_errors=True)


def _done(words: list[str], check: bool, timeout: float, environment: dict[str, str]) -> Text:
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=timeout, check=False, env=environment
    )
    assert not check or done.returncode == 0, (
        f"{' '.join(words)}: exit status {done.returncode}\n"
        f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )
    return done
