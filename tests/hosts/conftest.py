# SPDX-License-Identifier: Apache-2.0
"""Three local hosts for the tests here, in a folder and a network of their own."""

import collections.abc
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest
from local_hosts.operations import LocalHosts

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = pathlib.Path("/var/lib/fpga-nova/hosts-test")
ROOTS = pathlib.Path(os.environ.get("ROOTS_DIR", "/var/lib/fpga-nova/roots"))
SUITE = os.environ.get("SUITE", "bookworm")
SUBNET = "10.78.0.0/24"
#: Where each host has a folder that the controller may write.
SHARED = "/srv/above/shared"


@dataclasses.dataclass(frozen=True)
class Command:
    """The command of local hosts, on the hosts of the tests."""

    hosts: LocalHosts

    @property
    def words(self) -> list[str]:
        """What every call begins with."""
        program = str(ROOT / "build_scripts/hosts.py")
        return [sys.executable, program, "--folder", str(FOLDER), "--roots", str(ROOTS)]

    def __call__(self, *words: str, check: bool = True) -> str:
        """Call it; what it prints."""
        done = subprocess.run([*self.words, *words], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def up(self, count: int = 3) -> str:
        """Have hosts run."""
        source = FOLDER.with_name("hosts-test-share")
        source.mkdir(exist_ok=True)
        share = f"{source}:{SHARED}:controller"
        return self("up", str(count), "--subnet", SUBNET, "--suite", SUITE, "--share", share)

    def ssh(self, name: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a host by SSH."""
        config = str(FOLDER / "ssh/config")
        options = ["-F", config, "-o", "ConnectTimeout=3", "-o", "BatchMode=yes"]
        return subprocess.run(
            ["ssh", *options, name, command], capture_output=True, text=True, check=False
        )

    def ask(self, name: str, command: str) -> str:
        """What a command prints in a host, by SSH."""
        done = self.ssh(name, command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="session")
def command() -> collections.abc.Iterator[Command]:
    """Three hosts that run; they are removed at the end."""
    if os.geteuid() != 0:
        pytest.skip("local hosts are made by root")
    command = Command(LocalHosts(FOLDER, ROOTS, print))
    command("down")
    start = time.monotonic()
    command.up()
    print(f"three hosts are up after {time.monotonic() - start:.1f} s")
    yield command
    if os.environ.get("KEEP") is None:
        command("down")
        shutil.rmtree(FOLDER.with_name("hosts-test-share"))
