# SPDX-License-Identifier: Apache-2.0
"""What a cloud has left on a host, and hosts on the machine, after their removal."""

import collections.abc
import pathlib
import subprocess

from tests.cloud.site import Site
from tests.cloud.users import FOLDER

#: Each prints what is left of the cloud on a host: units, processes, mounts, folders, network
#: namespaces, cables.
LOOKS = {
    "units": "systemctl list-unit-files --no-legend 'fpga-nova-*'; "
    "systemctl list-units --all --no-legend 'fpga-nova-*'; "
    "ls /etc/systemd/system | grep fpga-nova",
    "processes": f"ps -eo user:20,args | grep -v grep | "
    f"grep -E '{FOLDER}|^(nova|fpga-cloud|fpga-api|fpga-opencl|20000|21000)|containerd-shim'",
    "mounts": f"grep -F {FOLDER}/ /proc/mounts | grep -vF ' {FOLDER}/venv '",
    "files": f"find {FOLDER} -mindepth 1 -maxdepth 1 ! -name venv 2> /dev/null; "
    "ls /etc/sudoers.d | grep fpga",
    "network": "ls /run/docker/netns 2> /dev/null; ip netns list; "
    "ip -o link | grep -E 'veth|docker0|tap|br-|ovs-'; nft list tables 2> /dev/null",
}


def of_cloud(
    site: Site, name: str, containers: collections.abc.Iterable[str] = ()
) -> dict[str, str]:
    """What is left of the cloud on a host, by kind; nothing of the kinds that are not named.

    The folder of the environments is a mount of the machine's, which goes with the host.

    :param containers: the engine's ids of those that were there. On cgroup v1, a host sees groups
        of the machine and of other hosts as well
    """
    groups = "|".join(["fpga-nova-[a-z-]+[.]service", *containers])
    cgroups = {"cgroups": f"find /sys/fs/cgroup -type d | grep -E '{groups}'"}
    found = {kind: site.ask(name, f"{line}; true") for kind, line in (LOOKS | cgroups).items()}
    return {kind: text for kind, text in found.items() if text}


def check_machine(site: Site) -> None:
    """See that the machine has nothing of hosts that were removed."""
    folder = str(site.hosts_folder)
    assert not site.hosts_folder.exists()
    assert folder not in pathlib.Path("/proc/self/mountinfo").read_text()
    words = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"{folder}/" not in words
