# SPDX-License-Identifier: Apache-2.0
"""The way out: hosts that have nothing of the cloud, and a machine that has no hosts."""

import pathlib
import subprocess

from tests.cloud.site import Site
from tests.cloud.users import FOLDER, CloudOfHosts

#: Each prints what is left of the cloud on a host: units, processes, mounts, folders, network
#: namespaces, cables, control groups.
LEFT = {
    "units": "systemctl list-unit-files --no-legend 'fpga-nova-*'; "
    "systemctl list-units --all --no-legend 'fpga-nova-*'; "
    "ls /etc/systemd/system | grep fpga-nova",
    "processes": f"ps -eo user:20,args | grep -v grep | "
    f"grep -E '{FOLDER}|^(nova|fpga-cloud|20000)|containerd-shim'",
    "mounts": f"grep -F {FOLDER}/ /proc/mounts | grep -vF ' {FOLDER}/venv '",
    "files": f"find {FOLDER} -mindepth 1 -maxdepth 1 ! -name venv 2> /dev/null; "
    "ls /etc/sudoers.d | grep fpga",
    "network": "ls /run/docker/netns 2> /dev/null; ip -o link | grep -E 'veth|docker0'",
    "cgroups": "find /sys/fs/cgroup -type d | grep -E 'fpga-nova-|/docker/|nova-[0-9a-f]{8}'",
}


def left(site: Site, name: str) -> dict[str, str]:
    """What is left on a host, by kind."""
    found = {kind: site.ask(name, f"{line}; true") for kind, line in LEFT.items()}
    return {kind: text for kind, text in found.items() if text}


def nothing_is_left_of_hosts(site: Site) -> None:
    """The machine has nothing of hosts that were removed."""
    folder = str(site.hosts_folder)
    assert not site.hosts_folder.exists()
    assert folder not in pathlib.Path("/proc/self/mountinfo").read_text()
    words = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"{folder}/" not in words


def test_removal_leaves_nothing_on_any_host(cloud: CloudOfHosts) -> None:
    server = cloud.boot("fpga-lzo")
    assert server.status == "ACTIVE"
    cloud.site.verb("down")
    assert {name: left(cloud.site, name) for name in ("controller", "compute1", "compute2")} == {
        "controller": {},
        "compute1": {},
        "compute2": {},
    }
    assert not (cloud.site.cloud_folder / "secrets.yml").exists()


def test_second_removal_is_as_good(cloud: CloudOfHosts) -> None:
    cloud.site.verb("down")


def test_removal_of_the_hosts_leaves_nothing_on_the_machine(cloud: CloudOfHosts) -> None:
    cloud.site.hosts("down")
    nothing_is_left_of_hosts(cloud.site)
