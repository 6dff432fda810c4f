# SPDX-License-Identifier: Apache-2.0
"""Looks whether each host can be what a cloud wants of it, before anything is changed."""

import collections.abc
import concurrent.futures
import dataclasses

from deployment import ssh
from deployment.folder import Folder
from deployment.model import Deployment, Node

#: GiB that must be free below the cloud's folder: for environments, images and Debian's packages on
#: a host without the cloud, and for the next release's on one that has it.
NEW_GIB, OLD_GIB = 4.0, 1.0

#: Prints NAME=VALUE lines about the host; $1 is the cloud's folder, $2 the node's name, and $3 what
#: its certificate is for.
PROBE = """
say() { printf '%s=%s\\n' "$1" "$2"; }
yes_if() { "$@" > /dev/null 2>&1 && echo yes || echo no; }
is_root() { as_root true; }
say system "$(. /etc/os-release && echo "$ID-$VERSION_ID")"
say machine "$(uname -m)"
say root "$(yes_if is_root)"
say python "$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
say systemd "$(yes_if test -d /run/systemd/system)"
say addresses "$(hostname -I 2>/dev/null)"
has_datapath() { [ -e /sys/module/openvswitch ] || as_root modprobe -n openvswitch; }
say datapath "$(yes_if has_datapath)"
say interfaces "$(ls /sys/class/net | tr '\\n' ' ')"
say addressed "$(ip -4 -oneline address show 2>/dev/null | awk '{ printf "%s ", $2 }')"
say present "$(yes_if test -e "$1/.fpga-nova-demo")"
[ ! -e "$1/venv/cloud" ] || say install venv
[ ! -e "$1/packages" ] || say install packages
say nova_host "$(as_root sed -n 's/^host = //p' "$1/etc/nova/nova-compute.conf" 2>/dev/null)"
say foreign "$(ls -A "$1" 2>/dev/null | grep -vxE 'bin|etc|log|run|state|venv' | head -n 1)"
tls="$1/bin/ovn-tls.sh"
say certificate "$([ ! -x "$tls" ] || as_root "$tls" fits "$1/etc/ovn" "$2" "$3" 2> /dev/null)"
folder=$1
while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
say free_kib "$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')"
say end yes
"""

#: What uwsgi's and the other wheels in the lock file are built for.
MACHINE = "x86_64"


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found on one host.

    :param facts: of the probe; empty if the host was not reached
    :param faults: what has to be changed; none on a host that will do
    :param outdated: what `up` makes anew
    """

    node: Node
    facts: dict[str, str]
    faults: tuple[str, ...]
    outdated: tuple[str, ...] = ()


def look(cloud: Deployment, folder: Folder, nodes: collections.abc.Sequence[Node]) -> list[Report]:
    """The reports of these nodes, in their order; all are looked at, at the same time."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(lambda node: _look(cloud, folder, node), nodes))


def _look(cloud: Deployment, folder: Folder, node: Node) -> Report:
    usage = usage_of(cloud, node) or "none"
    done = ssh.run(cloud, node, folder, ssh.AS_ROOT + PROBE, cloud.folder, node.name, usage)
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    facts = {name: value.strip() for name, separator, value in pairs if separator}
    if done.returncode or "end" not in facts:
        words = [line for line in done.stderr.splitlines() if line.strip()]
        reason = words[-1].strip() if words else f"exit status {done.returncode}"
        return Report(node, {}, (f"not reached: {reason}",))
    faults = tuple(judge(cloud, node, facts))
    return Report(node, facts, faults, tuple(outdated(cloud, node, facts)))


def usage_of(cloud: Deployment, node: Node) -> str | None:
    """What a node's certificate for OVN's southbound database is for; None if it needs none.

    The controller itself reaches the database by a socket.
    """
    others = [one for one in cloud.compute if one != cloud.controller]
    if not cloud.networks or not others:
        return None
    if node == cloud.controller:
        return "serverAuth"
    return "clientAuth" if node in others else None


def outdated(cloud: Deployment, node: Node, facts: dict[str, str]) -> collections.abc.Iterator[str]:
    """What of the cloud on a host `up` makes anew, although the file did not change."""
    is_there = facts.get("present") == "yes"
    if is_there and usage_of(cloud, node) and facts.get("certificate") != "yes":
        yield "its certificate for OVN's database is missing or ends within a year: run `up`"


def judge(cloud: Deployment, node: Node, facts: dict[str, str]) -> collections.abc.Iterator[str]:
    """What keeps a host that was reached from being this node."""
    if (system := facts.get("system")) != cloud.distribution:
        yield f"runs {system or 'an unknown system'}, not {cloud.distribution}"
    if (machine := facts.get("machine")) != MACHINE:
        yield f"is {machine}, not {MACHINE}"
    if facts.get("root") != "yes":
        yield f"{cloud.base_user} is not root, and sudo wants a password"
    if not facts.get("python"):
        yield "/usr/bin/python3 is missing: apt-get install python3"
    if facts.get("systemd") != "yes":
        yield "systemd is not process 1"
    addresses = facts.get("addresses", "").split()
    if addresses and str(node.address) not in addresses:
        yield f"has not the address {node.address}, but {', '.join(addresses)}"
    if cloud.networks and "compute" in node.roles:
        yield from _wires(cloud, node, facts)
    yield from _former(cloud, node, facts)
    needed = OLD_GIB if facts.get("present") == "yes" else NEW_GIB
    free = free_gib(facts)
    if free is None or free < needed:
        amount = "unknown" if free is None else f"{free:.1f} GiB"
        yield f"room for {cloud.folder}: {amount}, needed {needed:.0f} GiB"


def _wires(cloud: Deployment, node: Node, facts: dict[str, str]) -> collections.abc.Iterator[str]:
    """What keeps a host from being connected to others as the file says."""
    kernel = facts.get("datapath") == "yes"
    tunnel = node.tunnel
    if tunnel is None:
        if not kernel and len(cloud.compute) > 1:
            yield "its kernel lacks Open vSwitch: give the node a tunnel, on its own interface"
    elif kernel and str(tunnel.address.ip) not in facts.get("addresses", "").split():
        yield f"has not the address of its tunnels, {tunnel.address.ip}"
    taken = [] if tunnel is None or kernel else [tunnel.interface]
    for interface in [*taken, *([node.external] if node.external else [])]:
        if interface not in facts.get("interfaces", "").split():
            yield f"has no interface {interface}"
        elif interface in facts.get("addressed", "").split():
            yield f"{interface} has an address, and the switch would take it over"


def _former(cloud: Deployment, node: Node, facts: dict[str, str]) -> collections.abc.Iterator[str]:
    """What keeps a host from being this node because of what is on it."""
    # Under another name Nova's servers, regions and allocations of this host would be nobody's.
    former = facts.get("nova_host")
    if "compute" in node.roles and former and former != node.name:
        yield f"is the host {former} of Nova: name the node so, or run `down` for it first"
    # `down` removes the folder with all that is in it. A run that failed early has made some of it.
    if facts.get("present") != "yes" and (foreign := facts.get("foreign")):
        yield f"{cloud.folder} is not a cloud's: it has {foreign}"
    # The releases differ, and their databases do.
    if (install := facts.get("install")) and install != cloud.install:
        yield f"has the cloud by install: {install}, not {cloud.install}; run `down` first"


def free_gib(facts: dict[str, str]) -> float | None:
    """The room below the cloud's folder; None if it is not known."""
    number = facts.get("free_kib", "")
    return int(number) / (1 << 20) if number.isascii() and number.isdigit() else None
