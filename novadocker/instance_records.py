# SPDX-License-Identifier: Apache-2.0
"""Records of instances on disk, each a file in the folder that Nova has for the instance."""

import json
import pathlib
import threading
import typing

from oslo_config import cfg

from fpga_nova import durable

CONF = cfg.CONF

#: Held while the folder of an instance comes or goes, or gets a file: the network and the container
#: of one instance are made by two threads.
LOCK = threading.RLock()


class Records:
    """The records of one kind.

    :param name: of their files
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, uuid: str, content: typing.Mapping[str, typing.Any]) -> None:
        """Keep a record, in place of the one that is there; on disk when it returns."""
        self.write_text(uuid, json.dumps(content))

    def write_text(self, uuid: str, text: str, mode: int | None = None) -> None:
        """The same of a text as it is.

        :param mode: of the file, whatever the umask is; None for the usual one
        """
        with LOCK:
            self._write(self.path(uuid), text, mode)

    def _write(self, path: pathlib.Path, text: str, mode: int | None) -> None:
        is_first = not path.parent.is_dir()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            durable.write(path, text.encode(), mode)
        except BaseException:
            remove_if_empty(path.parent)
            raise
        if is_first:
            durable.sync_folder(path.parent.parent)

    def read(self, uuid: str) -> typing.Any:
        """The content of a record.

        :raises OSError: there is none, or it cannot be read
        :raises ValueError: it is not JSON
        """
        return json.loads(self.path(uuid).read_text())

    def remove(self, uuid: str) -> None:
        """Remove a record; none is as good."""
        path = self.path(uuid)
        with LOCK:
            path.unlink(missing_ok=True)
            remove_if_empty(path.parent)

    def uuids(self) -> list[str]:
        """The instances with a record."""
        folder = pathlib.Path(CONF.instances_path)
        return [path.parent.name for path in folder.glob(f"*/{self._name}")]

    def path(self, uuid: str) -> pathlib.Path:
        """Where the record of an instance is, or would be."""
        return pathlib.Path(CONF.instances_path, uuid, self._name)


def remove_if_empty(folder: pathlib.Path) -> None:
    """Remove the folder of an instance once nothing is in it; none is as good.

    A record that a nova-compute began to write, and was killed, is nothing.
    """
    with LOCK:
        files = list(folder.iterdir()) if folder.is_dir() else None
        if files is None or any(file.suffix != durable.UNFINISHED for file in files):
            return
        for file in files:
            file.unlink(missing_ok=True)
        folder.rmdir()
