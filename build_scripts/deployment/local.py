# SPDX-License-Identifier: Apache-2.0
"""Has the hosts of a cloud run on this machine, as local hosts (docs/local-hosts.md)."""

import collections.abc
import contextlib
import ipaddress
import os
from pathlib import Path

import pyroute2
from local_hosts import model as hosts_model
from local_hosts import services
from local_hosts.model import Common, LocalHostsError, Share
from local_hosts.operations import LocalHosts

from deployment import catalogue, loader, playbook
from deployment.folder import Folder, path_of
from deployment.model import Deployment
from deployment.problems import DeploymentError

#: The cloud of a call without a file.
NAME = "local"

#: Debian of the hosts, by the distribution in the file.
SUITES = {"debian-12": "bookworm", "debian-13": "trixie"}

#: Where the hosts and the cached Debian roots are, unless HOSTS_DIR and ROOTS_DIR are set.
HOSTS, ROOTS = "/var/lib/fpga-nova/hosts", "/var/lib/fpga-nova/roots"

#: Bits of the network that the hosts' addresses share.
_PREFIX = 24

_HEAD = """\
# A cloud of hosts on this machine, made by `cloud.sh up --local`. docs/hosts.md explains the file.
# A change counts at the next `cloud.sh up --local`.
name: {name}
distribution: debian-12
release: {release}

nodes:
"""


def file_of(folder: Path | None) -> Path:
    """Where the file of the cloud is whose call names none.

    :param folder: of the cloud, if the call names that
    """
    return (folder or path_of(NAME)) / "cloud.yaml"


def content(file: Path, count: int | None) -> bytes:
    """The description of that cloud: of its file, or a new one.

    :param count: nodes of a new one
    :raises DeploymentError: there is no file and no count, or the file cannot be read
    """
    if file.exists():
        return loader.content(file)
    if count is None:
        raise DeploymentError(f"{file} is not there; make the cloud with `cloud.sh up --local 3`")
    return describe(count).encode()


def describe(count: int) -> str:
    """A new description: a controller, a compute host with FPGA regions, others without.

    Each is a node of OpenCL.

    :raises DeploymentError: not so many nodes can be
    """
    try:
        requests = hosts_model.default_requests(count)
        network = hosts_model.network(hosts_model.SUBNET)
        addresses = [network.address(number) for number in range(1, count + 1)]
    except LocalHostsError as e:
        raise DeploymentError(f"--local {count}: {e}") from e
    parts = [_HEAD.format(name=NAME, release=catalogue.release_of(catalogue.read().locked))]
    for number, (request, address) in enumerate(zip(requests, addresses, strict=True)):
        roles = ["controller"] * (number == 0) + ["compute"] * (number > 0 or count == 1)
        parts += [f"  - name: {request.name}\n    address: {address}\n"]
        parts += [f"    roles: [{', '.join(roles)}]\n"]
        if number > 0:
            tunnel = ipaddress.IPv4Address(address) + network.subnet.num_addresses
            parts += [f"    tunnel: {{interface: eth1, address: {tunnel}/{_PREFIX}}}\n"]
        parts += ["    opencl: {sessions: 2}\n"]
        if number == min(1, count - 1):
            parts += ["    fpga:\n      drivers: [emulator]\n      regions: 2\n"]
    return "".join(parts)


def up(cloud: Deployment, folder: Folder) -> None:
    """Have all nodes of a cloud run, and this machine reach them.

    :raises DeploymentError: they cannot be, or do not start
    """
    if services.missing_packages() and playbook.run_here("hosts_needs.yml"):
        raise DeploymentError("the Debian packages for local hosts cannot be installed")
    hosts = _hosts()
    # The controller fills the environments, which all hosts run on.
    environments = hosts.folder / "venv"
    share = Share(str(environments), f"{cloud.folder}/venv", cloud.controller.name)
    network = ipaddress.IPv4Network((str(cloud.controller.address), _PREFIX), strict=False)
    requests = [hosts_model.Request(node.name, str(node.address)) for node in cloud.nodes]
    with _errors():
        common = Common(hosts_model.network(str(network)), cloud.base_user, (share,))
        hosts.up(requests, SUITES[cloud.distribution], common)
        _link(hosts.files.keys, folder)


def down(cloud: Deployment, folder: Folder) -> None:
    """Remove the hosts of a cloud, and so the cloud, and this machine's keys for them.

    :raises DeploymentError: other hosts are among them, or one cannot be removed
    """
    hosts = _hosts()
    with _errors():
        names = {host.name for host in hosts.known()}
        if others := names - {node.name for node in cloud.nodes}:
            raise DeploymentError(
                f"{hosts.folder} has hosts that are not in the file: {', '.join(sorted(others))}; "
                "`make hosts-down` removes all"
            )
        hosts.down()
        for link in (folder.key, folder.known_hosts):
            if link.is_symlink():
                link.unlink()


def _hosts() -> LocalHosts:
    folder, roots = os.environ.get("HOSTS_DIR") or HOSTS, os.environ.get("ROOTS_DIR") or ROOTS
    return LocalHosts(Path(folder).resolve(), Path(roots).resolve(), _say)


def _say(line: str) -> None:
    print(line, flush=True)


@contextlib.contextmanager
def _errors() -> collections.abc.Iterator[None]:
    try:
        yield
    except (LocalHostsError, OSError, pyroute2.NetlinkError) as e:
        raise DeploymentError(f"local hosts: {e}") from e


def _link(keys: Path, folder: Folder) -> None:
    """Have SSH use the hosts' keys for the cloud."""
    for link in (folder.key, folder.known_hosts):
        target = keys / link.name
        if link.is_symlink() and link.readlink() == target:
            continue
        if link.exists() and not link.is_symlink():
            raise DeploymentError(f"{link} is there, for other hosts; name another --folder")
        link.unlink(missing_ok=True)
        link.symlink_to(target)
