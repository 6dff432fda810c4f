# SPDX-License-Identifier: Apache-2.0
"""Makes a cloud's secrets once, in a file that ansible-vault has encrypted."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from deployment.folder import Folder
from deployment.problems import DeploymentError

#: The variables of group_vars/all.yml that the file overrides.
NAMES = (
    "admin_password",
    "database_password",
    "fpga_messaging_password",
    "metadata_secret",
    "opencl_secret",
    "rabbitmq_password",
    "service_password",
    "user_password",
)

#: Of the environment that this runs in.
PROGRAM = Path(sys.executable).with_name("ansible-vault")


def ensure(folder: Folder) -> None:
    """Make the key and the secrets, as far as they are not there.

    :raises DeploymentError: the secrets are there without their key, or cannot be read or encrypted
    """
    if folder.vault.exists() and not folder.vault_key.exists():
        raise DeploymentError(
            f"{folder.vault} is there, but its key {folder.vault_key} is not; restore the key, or "
            "remove the cloud and begin anew"
        )
    if not folder.vault_key.exists():
        _write(folder.vault_key, f"{secrets.token_hex(32)}\n")
    found = _run(folder, "view", str(folder.vault)) if folder.vault.exists() else ""
    known = {line.partition(":")[0] for line in found.splitlines()}
    if missing := [name for name in NAMES if name not in known]:
        lines = "".join(f"{name}: {secrets.token_hex(16)}\n" for name in missing)
        _write(folder.vault, _encrypt(found + lines, folder))


def _encrypt(plain: str, folder: Folder) -> str:
    encrypted = _run(folder, "encrypt", plain=plain)
    if not encrypted.startswith("$ANSIBLE_VAULT;"):
        raise DeploymentError("ansible-vault failed: it encrypted nothing")
    return encrypted


def _run(folder: Folder, verb: str, *words: str, plain: str | None = None) -> str:
    """What ansible-vault prints; the key is in its file."""
    command = [str(PROGRAM), verb, "--vault-password-file", str(folder.vault_key), *words]
    environment = os.environ | {"ANSIBLE_HOME": str(folder.ansible), "PAGER": "cat"}
    done = subprocess.run(
        command, input=plain, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise DeploymentError(f"ansible-vault failed: {done.stderr.strip()}")
    return done.stdout


def _write(file: Path, content: str) -> None:
    """Write a file that its owner alone can read, all at once."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(file)
