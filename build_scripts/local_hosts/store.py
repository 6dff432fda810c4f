# SPDX-License-Identifier: Apache-2.0
"""Keeps what the hosts of a folder are in its file hosts.json."""

import collections.abc
import contextlib
import dataclasses
import fcntl
import ipaddress
import json
import os
import pathlib
import subprocess
import typing

from local_hosts.model import Host, LocalHostsError, Network, Share, Site, key_of

#: Marks a folder as one of local hosts: nothing else is ever removed.
MARK = ".fpga-nova-hosts"

_LOCKS = pathlib.Path("/run/lock")

_FILE = "hosts.json"
_VERSION = 1


def dumps(site: Site) -> str:
    """Hosts as JSON."""
    record = dataclasses.asdict(site) | {
        "version": _VERSION,
        "network": str(site.network.subnet),
    }
    return json.dumps(record, indent=1) + "\n"


def loads(text: str) -> Site:
    """Hosts from JSON.

    :raises LocalHostsError: the text is not what `dumps` makes
    """
    try:
        record: dict[str, typing.Any] = json.loads(text)
        version = record.pop("version")
        if version != _VERSION:
            raise LocalHostsError(f"version {version} is not {_VERSION}: 'down' removes the hosts")
        record["network"] = Network(ipaddress.IPv4Network(record["network"]))
        record["shares"] = tuple(Share(**one) for one in record["shares"])
        record["hosts"] = tuple(_host(one) for one in record["hosts"])
        return Site(**record)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as e:
        raise LocalHostsError(f"not a record of hosts: {e!r}") from e


def _host(record: dict[str, typing.Any]) -> Host:
    host = Host(**record)
    expected = (int, str, str, str, bool)
    if tuple(map(type, dataclasses.astuple(host))) != expected:
        raise ValueError(f"a host is {record}")
    ipaddress.IPv4Address(host.address)
    return host


@dataclasses.dataclass(frozen=True)
class Store:
    """The record of one folder."""

    folder: pathlib.Path

    def load(self) -> Site | None:
        """The hosts; None where none were ever asked for.

        :raises LocalHostsError: the record cannot be read
        """
        try:
            return loads((self.folder / _FILE).read_text())
        except FileNotFoundError:
            return None
        except LocalHostsError as e:
            raise LocalHostsError(f"{self.folder / _FILE}: {e}") from e

    def save(self, site: Site) -> None:
        """Replace the record at once."""
        unfinished = self.folder / f".{_FILE}.part"
        with unfinished.open("w") as file:
            file.write(dumps(site))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.folder / _FILE)

    def prepare(self) -> None:
        """Make the folder, unless it is one of local hosts already.

        :raises LocalHostsError: it has other files
        """
        if not self.exists() and self.folder.exists() and any(self.folder.iterdir()):
            raise LocalHostsError(f"{self.folder} has files, and is not a folder of local hosts")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        (self.folder / MARK).touch()

    def exists(self) -> bool:
        """Whether there is a folder of local hosts."""
        return (self.folder / MARK).exists()

    def remove(self) -> None:
        """Remove the folder; the mark goes last, so that a removal that is cut short is repeated.

        :raises subprocess.CalledProcessError: a file cannot be removed
        """
        for path in [one for one in self.folder.iterdir() if one.name != MARK]:
            subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=True)
        (self.folder / MARK).unlink()
        self.folder.rmdir()

    @contextlib.contextmanager
    def alone(self) -> collections.abc.Iterator[None]:
        """Let nobody else change the hosts meanwhile.

        :raises LocalHostsError: somebody does
        """
        lock = _LOCKS / f"fpga-nova-hosts-{key_of(self.folder)}"
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocalHostsError(f"another command is at work in {self.folder}") from None
            yield
