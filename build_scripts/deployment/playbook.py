# SPDX-License-Identifier: Apache-2.0
"""Runs a playbook on the hosts of a cloud."""

import collections.abc
import os
import subprocess
import sys
from pathlib import Path

from deployment import inventory, vault
from deployment.catalogue import ROOT
from deployment.folder import Folder
from deployment.model import Deployment, Node

PROGRAM = Path(sys.executable).with_name("ansible-playbook")

#: The demo's settings. The inventory overrides them; the callback would look for the demo's logs.
_DEMO = ("DEMO_DIR", "DB", "PORT_BASE")


def run(name: str, cloud: Deployment, folder: Folder, nodes: collections.abc.Sequence[Node]) -> int:
    """Run it with the cloud's inventory and secrets; its output goes where ours goes.

    :param name: of a file in build_scripts/
    :param nodes: those that it is limited to
    :returns: Ansible's exit status: 0 if all hosts are as they should be
    """
    inventory.write(cloud, folder)
    vault.ensure(folder)
    environment = {key: value for key, value in os.environ.items() if key not in _DEMO}
    environment |= {
        "ANSIBLE_HOME": str(folder.ansible),
        # The path of a socket has 107 characters at most.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder.sockets),
    }
    return subprocess.run(
        command(name, cloud, folder, nodes),
        cwd=ROOT / "build_scripts",
        env=environment,
        check=False,
    ).returncode


def run_here(name: str) -> int:
    """Run a playbook on this machine, with the demo's inventory.

    :returns: Ansible's exit status
    """
    folder = ROOT / "build_scripts"
    environment = os.environ | {"ANSIBLE_HOME": str(ROOT / ".tools/ansible")}
    return subprocess.run([str(PROGRAM), name], cwd=folder, env=environment, check=False).returncode


def command(
    name: str, cloud: Deployment, folder: Folder, nodes: collections.abc.Sequence[Node]
) -> list[str]:
    """The command line. Secrets are not in it: other users of the machine can read it."""
    return [
        str(PROGRAM),
        *("--inventory", str(folder.inventory)),
        *("--vault-password-file", str(folder.vault_key)),
        *("--extra-vars", f"@{folder.vault}"),
        *("--limit", ",".join(inventory.host_of(cloud, node) for node in nodes)),
        name,
    ]
