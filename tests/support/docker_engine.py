# SPDX-License-Identifier: Apache-2.0
"""A Docker Engine of another Debian, unpacked beside the installed one and never installed.

    PYTHONPATH=build_scripts python3 -m tests.support.docker_engine [FOLDER] [SUITE]

The engine, its containerd and its init come from the suite; runc is the host's, because trixie's
needs a newer C library than bookworm has.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from debian_roots import machine

#: Where the tests look for it.
FOLDER = pathlib.Path(os.environ.get("ENGINE_DIR", "/var/lib/fpga-nova/engine-26"))

_PACKAGES = ("docker.io", "containerd", "tini")
_FOLDERS = ("etc", "state/lists/partial", "cache/archives/partial", "packages")


def programs(folder: pathlib.Path = FOLDER) -> list[str]:
    """Where an unpacked engine has its programs, for PATH.

    :raises RuntimeError: it is not there, with what to do
    """
    found = [folder / "root/usr/sbin", folder / "root/usr/bin"]
    if not (folder / "stamp").exists():
        raise RuntimeError(f"there is no Docker Engine in {folder} - run 'make engine-26'")
    return [str(path) for path in found]


def make(folder: pathlib.Path = FOLDER, suite: str = "trixie") -> None:
    """Fetch and unpack the engine, unless the same is there.

    :raises subprocess.CalledProcessError: apt or dpkg failed
    """
    sources = machine.sources_of(suite)
    digest = hashlib.sha256("\n".join([sources, *_PACKAGES]).encode()).hexdigest()
    stamp = folder / "stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder / "root", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        packages = _fetch(pathlib.Path(scratch), sources)
        for package in packages:
            subprocess.run(["dpkg-deb", "--extract", package, folder / "root"], check=True)
    stamp.write_text(digest)


def _fetch(scratch: pathlib.Path, sources: str) -> list[pathlib.Path]:
    """Download the packages with an apt of our own, which leaves the host's as it is."""
    for name in _FOLDERS:
        (scratch / name).mkdir(parents=True)
    (scratch / "etc/sources.list").write_text(sources)
    (scratch / "state/status").touch()
    settings = {
        "Dir::Etc::sourcelist": scratch / "etc/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": scratch / "state",
        "Dir::State::status": scratch / "state/status",
        "Dir::Cache": scratch / "cache",
        "APT::Sandbox::User": "root",
    }
    options = [f"--option={name}={value}" for name, value in settings.items()]
    for command in (["update"], ["download", *_PACKAGES]):
        subprocess.run(["apt-get", "-qq", *options, *command], cwd=scratch / "packages", check=True)
    return sorted((scratch / "packages").glob("*.deb"))


if __name__ == "__main__":
    make(*map(pathlib.Path, sys.argv[1:2]), *sys.argv[2:3])
