# SPDX-License-Identifier: Apache-2.0
"""The daemons behind the hosts: a Docker Engine of their own, and their way out."""

import json
import pathlib
import shutil
import subprocess
import sys
import typing

from local_hosts.model import LocalHostsError, Network

_PROGRAM = pathlib.Path(__file__).parents[1] / "roles/common/files/daemons.py"

#: What must be there, and the Debian package that brings it.
PROGRAMS = {
    "containerd": "containerd",
    "debootstrap": "debootstrap",
    "dockerd": "docker.io",
    "slirp4netns": "slirp4netns",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "start-stop-daemon": "dpkg",
    "tar": "tar",
}

_CONTAINERD = """\
version = 2
root = "{folder}/engine/containerd"
state = "{folder}/run/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
  address = "{folder}/run/containerd.sock"

[ttrpc]
  address = "{folder}/run/containerd.sock.ttrpc"
"""

#: Folders that the engine makes in a host, such as mount points, are for every user there.
_UMASK = "022"

#: The longest path of a socket that Linux takes has 107 bytes.
_LONGEST = 107


def missing_packages() -> list[str]:
    """The Debian packages whose programs are not there."""
    return sorted({package for name, package in PROGRAMS.items() if not shutil.which(name)})


def engine_socket(folder: pathlib.Path) -> pathlib.Path:
    """Where the engine listens."""
    return folder / "run/docker.sock"


def check_folder(folder: pathlib.Path) -> None:
    """Refuse a folder whose sockets would have too long a path.

    :raises LocalHostsError: it is one
    """
    longest = folder / "run/containerd.sock.ttrpc"
    if len(str(longest).encode()) > _LONGEST:
        raise LocalHostsError(f"{folder}: its path is too long, sockets are in it")


def write_configuration(folder: pathlib.Path) -> None:
    """Write what the engine's daemons read, and make their folders."""
    for name in ("etc", "log", "run", "engine"):
        (folder / name).mkdir(exist_ok=True, mode=0o711)
    (folder / "etc/containerd.toml").write_text(_CONTAINERD.format(folder=folder))
    # Without one, dockerd would read the machine's own.
    (folder / "etc/dockerd.json").write_text("{}\n")


def descriptions(
    folder: pathlib.Path, network: Network, names: typing.Mapping[str, str]
) -> list[dict[str, typing.Any]]:
    """The daemons in the order of their start, as daemons.py takes them.

    :param names: ``driver`` of the engine's storage, ``netns`` as a path, ``tap`` in it, and
        ``cgroup``, the parent of the containers' control groups
    """
    run, socket = folder / "run", f"unix://{engine_socket(folder)}"
    containerd: dict[str, typing.Any] = {
        "name": "containerd",
        "order": 10,
        "umask": _UMASK,
        "command": ["containerd", "--config", f"{folder}/etc/containerd.toml"],
        "watch": [f"{folder}/etc/containerd.toml"],
        "ready": {"socket": f"{run}/containerd.sock"},
    }
    dockerd: dict[str, typing.Any] = {
        "name": "dockerd",
        "order": 11,
        "umask": _UMASK,
        "command": [
            *("dockerd", f"--host={socket}", f"--containerd={run}/containerd.sock"),
            *(f"--data-root={folder}/engine/docker", f"--exec-root={run}/docker"),
            *(f"--pidfile={run}/dockerd.own.pid", f"--config-file={folder}/etc/dockerd.json"),
            *(f"--storage-driver={names['driver']}", f"--cgroup-parent={names['cgroup']}"),
            # systemd's driver would want a slice for the parent.
            "--exec-opt=native.cgroupdriver=cgroupfs",
            *("--bridge=none", "--iptables=false", "--ip-masq=false", "--shutdown-timeout=10"),
        ],
        "watch": [f"{folder}/etc/dockerd.json"],
        "ready": {"socket": str(engine_socket(folder))},
        "stop_timeout": 30,
    }
    uplink: dict[str, typing.Any] = {
        "name": "slirp4netns",
        "order": 20,
        "command": [
            *("slirp4netns", "--netns-type=path", f"--cidr={network.subnet}", "--mtu=1500"),
            *("--disable-host-loopback", f"--api-socket={run}/slirp4netns.sock"),
            *(names["netns"], names["tap"]),
        ],
        "ready": {"socket": f"{run}/slirp4netns.sock"},
    }
    every = [containerd, dockerd, uplink]
    for description in every:
        description["log"] = f"{folder}/log/{description['name']}.log"
    return every


def start(folder: pathlib.Path, description: dict[str, typing.Any]) -> bool:
    """Start a daemon unless it runs as described, and wait until it is ready.

    :returns: whether it was started
    :raises LocalHostsError: it does not start, with the end of its log
    """
    output = _call(folder, "start", "--wait", text=json.dumps(description))
    return output.strip() == "started"


def stop(folder: pathlib.Path) -> None:
    """Stop all daemons, and what they have left running.

    :raises LocalHostsError: a process cannot be killed
    """
    _call(folder, "stop")


def _call(folder: pathlib.Path, *words: str, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), str(folder / "run"), *words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalHostsError(done.stderr.strip().removeprefix("Error: "))
    return done.stdout
