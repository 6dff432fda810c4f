# SPDX-License-Identifier: Apache-2.0
"""The folder that a cloud has on the machine that runs Ansible."""

import contextlib
import fcntl
import os
import shutil
import typing
from pathlib import Path

from deployment.problems import DeploymentError

#: Where the folders of all clouds are, unless CLOUDS_DIR names another place.
CLOUDS = "/var/lib/fpga-nova/clouds"


class Folder:
    """What is known of a cloud beside its file; for its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def make(self) -> None:
        """Make the folder, unless it is there.

        :raises DeploymentError: it cannot be made
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.known_hosts.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as e:
            raise DeploymentError(f"{self.path}: {e.strerror}") from e

    @property
    def key(self) -> Path:
        """The private key for SSH. Where it is missing, SSH uses its user's own."""
        return self.path / "ssh/id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The keys of the hosts, each from the first contact on unless it was put there before."""
        return self.path / "ssh/known_hosts"

    @property
    def inventory(self) -> Path:
        """The inventory for Ansible, made anew by each command."""
        return self.path / "inventory.json"

    @property
    def vault(self) -> Path:
        """The secrets, encrypted."""
        return self.path / "secrets.yml"

    @property
    def vault_key(self) -> Path:
        """What they are encrypted with."""
        return self.path / "vault.key"

    @property
    def wheels(self) -> Path:
        """This project's wheel, built."""
        return self.path / "build"

    @property
    def packages(self) -> Path:
        """This project's Debian package, built."""
        return self.path / "deb"

    @property
    def ansible(self) -> Path:
        """What Ansible keeps for itself."""
        return self.path / "ansible"

    @property
    def sockets(self) -> Path:
        """The sockets of connections that wait for the next task; their paths have to be short."""
        return self.path / "cp"

    @contextlib.contextmanager
    def lock(self) -> typing.Iterator[None]:
        """Keep other commands from changing the same cloud.

        :raises DeploymentError: one does so now
        """
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                raise DeploymentError(f"another command works on the cloud in {self.path}") from e
            yield
        finally:
            os.close(handle)

    def clear(self) -> None:
        """Remove what commands have made here, and the folder if nothing else is in it.

        What the user has put here stays, such as keys for SSH. Another cloud of this name gets
        other secrets.
        """
        for file in (self.vault, self.vault_key, self.inventory):
            file.unlink(missing_ok=True)
        for folder in (self.wheels, self.packages, self.ansible, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.known_hosts.parent, self.path):
            with contextlib.suppress(OSError):
                folder.rmdir()


def path_of(name: str) -> Path:
    """Where the folder of a cloud is."""
    return Path(os.environ.get("CLOUDS_DIR") or CLOUDS) / name
