# SPDX-License-Identifier: Apache-2.0
"""The settings of what runs as root: a file of root's own."""

import dataclasses
import os
import pathlib
import stat
import tomllib

from novadocker.live.errors import LiveError

#: Where the file is, unless the program is started with another one.
FILE = pathlib.Path("/etc/fpga-nova/live.toml")

#: The folder of containers that are suspended, in root's own.
SUSPENDED = "suspended"
#: The folder of images and that of marks, in the folder of nova-compute.
IMAGES, MARKS = "images", "marks"
_OPTIONAL = "fpga_cli"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where things are on a host.

    :param criu: the program; it need not be in the machine's PATH
    :param runc: the program
    :param runc_root: where the Docker Engine has runc keep the states of its containers
    :param state: the folder of what is dumped and restored; root's alone
    :param incoming: the folder of nova-compute, with the images and the marks
    :param group: the group that may read a dump
    :param signing_key: the private key of this host, in PEM; root's alone
    :param trusted_keys: the folder of the public keys that are trusted, in PEM
    :param fpga_cli: the program that closes the connections to a server's regions; None if servers
        with such connections are refused
    """

    criu: pathlib.Path
    runc: pathlib.Path
    runc_root: pathlib.Path
    state: pathlib.Path
    incoming: pathlib.Path
    group: str
    signing_key: pathlib.Path
    trusted_keys: pathlib.Path
    fpga_cli: pathlib.Path | None = None

    @property
    def spool(self) -> pathlib.Path:
        """Where dumps are until nova-compute has them."""
        return self.state / "spool"

    def ready(self, container: str) -> pathlib.Path:
        """A folder that is there while a dump waits until its container is paused."""
        return self.spool / f"{container}.ready"

    def suspended(self, container: str) -> pathlib.Path:
        """The dump of a container that is suspended."""
        return self.state / SUSPENDED / container

    @property
    def lock(self) -> pathlib.Path:
        """Who dumps shares it; who removes all dumps has it alone."""
        return self.state / "lock"

    @property
    def work(self) -> pathlib.Path:
        """Where an image is while it is restored."""
        return self.state / "work"


def read(path: pathlib.Path = FILE) -> Settings:
    """Read the file.

    :raises LiveError: it is not there, others than root can change it, or it lacks something
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
        status = path.stat()
    except (OSError, tomllib.TOMLDecodeError) as e:
        raise LiveError(f"{path} cannot be read: {e}") from e
    if status.st_uid != 0 or status.st_mode & 0o022:
        raise LiveError(f"{path} can be changed by others than root")
    names = {field.name for field in dataclasses.fields(Settings)}
    if table.keys() | {_OPTIONAL} != names or not all(isinstance(o, str) for o in table.values()):
        raise LiveError(
            f"{path} needs these names with strings: {', '.join(sorted(names - {_OPTIONAL}))}; it "
            f"may have {_OPTIONAL}, too"
        )
    paths = {name: pathlib.Path(value) for name, value in table.items() if name != "group"}
    relative = [name for name, value in paths.items() if not value.is_absolute()]
    if relative:
        raise LiveError(f"{path}: {', '.join(relative)} must be absolute paths")
    return Settings(group=table["group"], **paths)


def check_owners(found: Settings, group: int) -> None:
    """See that nobody but root changes what runs as root, the keys, and what is dumped.

    Groups may but for that of nova-compute: some distributions let `staff` write in /usr/local.

    :param group: the number of that group
    :raises LiveError: somebody else can, or runc is missing
    """
    if not os.access(found.runc, os.X_OK):
        raise LiveError(f"there is no program {found.runc}")
    programs = [one for one in (found.criu, found.runc, found.fpga_cli) if one]
    for path in (*programs, found.state, found.signing_key, found.trusted_keys):
        for one in {path, path.parent, path.resolve(), path.resolve().parent}:
            _check_owner(one, group)


def _check_owner(path: pathlib.Path, group: int) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return  # root makes it
    others = stat.S_IWOTH | (stat.S_IWGRP if status.st_gid == group else 0)
    # In a folder as /tmp is, nobody replaces the files of others.
    if status.st_uid != 0 or (status.st_mode & others and not status.st_mode & stat.S_ISVTX):
        raise LiveError(f"{path} can be changed by others than root")
