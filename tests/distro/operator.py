# SPDX-License-Identifier: Apache-2.0
"""Who works on the host: runs commands and keeps what they printed, follows docs/install.md."""

import collections.abc
import json
import pathlib
import shutil
import subprocess
import time
import typing

from debian_roots import root

from tests.distro import ini, page

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
INSTALL = CHECKOUT / "docs/install.md"


class Operator:
    """An operator on a host.

    :param log: gets every command and what it printed
    """

    def __init__(self, debian: root.Root, log: typing.TextIO) -> None:
        self.debian, self.log = debian, log

    def run(self, script: str) -> str:
        """Run lines of shell, with the cloud's credentials.

        :raises subprocess.CalledProcessError: they end with another status than 0
        """
        self.log.write(f"$ {script.strip()}\n")
        try:
            text = self.debian.run(f"cd /root\n[ ! -e openrc ] || . ./openrc\n{script}")
        except subprocess.CalledProcessError as e:
            self.log.write(f"{e.stdout}\n== ended with {e.returncode}\n")
            raise
        self.log.write(text)
        self.log.flush()
        return text

    def ask(self, command: str) -> typing.Any:
        """What a command prints as JSON."""
        return json.loads(self.run(f"{command} 2> /dev/null"))

    def query(self, statement: str) -> list[str]:
        """The words that a statement of SQL gives."""
        return self.run(f'mysql -N -e "{statement}"').split()

    def follow(self, *sections: str) -> None:
        """Do what sections of docs/install.md say, to the letter."""
        for section in sections:
            for block in page.blocks(INSTALL, section):
                if block.file is None:
                    self.run(block.text)
                else:
                    self.configure(block.file, block.text)

    def configure(self, file: str, lines: str) -> None:
        """Set options in a file of configuration, which is made if it is not there."""
        self.log.write(f"{file}:\n{lines}")
        path = self.debian.folder / file.lstrip("/")
        path.write_text(ini.put(path.read_text() if path.exists() else "", lines))

    def fetch_build(self) -> None:
        """Have what `make deb` left copied to the host."""
        for path in (*CHECKOUT.glob("dist/*.deb"), *CHECKOUT.glob("dist/wheel/*.whl")):
            shutil.copy(path, self.debian.folder / "root")


def expect(what: str, found: object, expected: object) -> None:
    """Go on only if it is as it should be.

    :raises AssertionError: it is not
    """
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


def wait(what: str, holds: collections.abc.Callable[[], bool], seconds: float = 300) -> None:
    """Wait until something holds that services do in their own time.

    :raises AssertionError: it does not within so many seconds
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(1)
