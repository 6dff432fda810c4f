# SPDX-License-Identifier: Apache-2.0
"""Writes the files that the machine has for its hosts, and for those who reach them."""

import collections.abc
import pathlib

from debian_roots import machine
from debian_roots.layer import File

from local_hosts import keys, texts
from local_hosts.model import Host, Site

_KEY = "etc/ssh/ssh_host_ed25519_key"


class Files:
    """The files of the hosts of one folder.

    :ivar keys: the folder of ssh's files
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self.keys = folder / "ssh"

    def of(self, host: Host) -> pathlib.Path:
        """The folder of one host: ``files`` and ``docker`` are in it."""
        return self._folder / "hosts" / str(host.number)

    def write(self, site: Site) -> None:
        """Write the files of all hosts, and those of ssh."""
        user_key = keys.make(self.keys / "id_ed25519", "fpga-nova")
        host_keys: dict[int, str] = {}
        for host in site.hosts:
            files = self.of(host) / "files"
            files.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.of(host) / "docker").mkdir(exist_ok=True, mode=0o711)
            host_keys[host.number] = keys.make(files / "first" / _KEY, f"host{host.number}")
            _write(files / "first", _once(site, host, user_key))
            _write(files / "always", _always(site, host))
        for path in (self._folder / "hosts").glob("*/files/*"):
            for folder in (path, *path.glob("**/")):
                folder.chmod(0o700 if folder.name == ".ssh" else 0o755)
        ssh = {
            "known_hosts": File(texts.known_hosts(site, host_keys)),
            "config": File(texts.ssh_config(site, self.keys)),
        }
        _write(self.keys, ssh)


def _once(site: Site, host: Host, user_key: str) -> dict[str, File]:
    variables = machine.variables(str(site.network.subnet))
    return {
        **machine.files(machine.sources_of(host.suite)),
        "/root/.ssh/authorized_keys": File(user_key, 0o600),
        "/etc/environment": File(texts.environment(variables), 0o644),
    }


def _always(site: Site, host: Host) -> dict[str, File]:
    return {
        "/etc/hosts": File(texts.hosts(site)),
        "/etc/hostname": File(f"{host.name}\n"),
        "/etc/resolv.conf": File(texts.resolver(site)),
    }


def _write(folder: pathlib.Path, files: collections.abc.Mapping[str, File]) -> None:
    """Write files below a folder, each at once: a host may read it meanwhile."""
    for name, file in files.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.part")
        unfinished.write_text(file.text)
        unfinished.chmod(file.mode)
        unfinished.replace(path)
