# SPDX-License-Identifier: Apache-2.0
"""Reaches the hosts of a cloud by SSH, as Ansible does."""

import subprocess

from deployment.folder import Folder
from deployment.model import Deployment, Node

#: Seconds until a host must answer, and between two signs of life of a connection; three that are
#: missing end it.
CONNECT, ALIVE = 10, 10

#: A function for scripts: runs a command as root, whoever the base user is.
AS_ROOT = """
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
"""


def options(folder: Folder) -> list[str]:
    """Options that hold for every host. A host's key is pinned at the first contact."""
    settings = {
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT,
        "ServerAliveInterval": ALIVE,
        "ServerAliveCountMax": 3,
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": folder.known_hosts,
    }
    words = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    if folder.key.exists():
        words += ["-o", "IdentitiesOnly=yes", "-i", str(folder.key)]
    return words


def run(
    cloud: Deployment, node: Node, folder: Folder, script: str, *words: str, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a shell script on a host, as the base user.

    :param words: plain ones; they become $1 and so on
    :param timeout: seconds; after them the exit status is 255, as without a connection
    """
    target = f"{cloud.base_user}@{node.address}"
    command = ["ssh", *options(folder), target, "sh", "-s", "--", *words]
    try:
        return subprocess.run(
            command, input=script, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 255, "", f"no answer after {timeout:.0f} s")
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 255, "", "ssh is not installed here")
