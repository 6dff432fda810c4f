# SPDX-License-Identifier: Apache-2.0
"""A Debian in a folder, with processes, mounts and a network of its own.

Nothing in it listens on the host, and all of it ends with the program that started it.
"""

import os
import pathlib
import subprocess
import tempfile
import types
import typing

#: Runs as process 1: makes the folder the root of its mounts, then reaps until its input ends.
_INIT = """
set -e
mount --bind "$1" "$1"
cd "$1"
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mount -t tmpfs -o mode=755 run run
mkdir -m 1777 run/lock
mount -t tmpfs -o mode=1777 tmp tmp
while [ $# -gt 1 ]; do
    mkdir -p ".$3"
    mount --bind "$2" ".$3"
    set -- "$1" "${@:4}"
done
hostname "$(cat etc/hostname)"
ip link set lo up
pivot_root . .
umount -l .
echo ready
read -r || true
"""

#: Seconds after which a command is taken for hung; the longest installs a whole cloud.
_LONGEST = "3600"

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


class Root:
    """A root that runs; use it in a ``with`` statement.

    :param folder: the root's files
    :param binds: folders of the host, by the place where the root has them
    """

    def __init__(self, folder: pathlib.Path, binds: dict[str, pathlib.Path]) -> None:
        self.folder, self._binds = folder, binds

    def __enter__(self) -> typing.Self:
        binds = [part for place, path in self._binds.items() for part in (str(path), place)]
        namespaces = ["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"]
        self._init = subprocess.Popen(
            ["unshare", *namespaces, "bash", "-c", _INIT, "init", str(self.folder), *binds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if typing.cast(typing.IO[str], self._init.stdout).readline() != "ready\n":
            self._init.wait()
            raise RuntimeError(f"{self.folder} cannot be entered; the reason is above")
        children = pathlib.Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children")
        self._pid = children.read_text().strip()
        self._connect()
        return self

    def _connect(self) -> None:
        """Let the root reach what the host reaches, but not the host's own loopback."""
        alive, self._alive = os.pipe()
        ready, is_ready = os.pipe()
        options = ["--configure", "--mtu=65520", "--disable-host-loopback"]
        self._network = subprocess.Popen(
            [
                *("slirp4netns", *options, f"--exit-fd={alive}", f"--ready-fd={is_ready}"),
                *(self._pid, "tap0"),
            ],
            pass_fds=[alive, is_ready],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(is_ready)
        os.close(alive)
        if os.read(ready, 1) != b"1":
            raise RuntimeError("slirp4netns cannot connect the root's network")
        os.close(ready)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        typing.cast(typing.IO[str], self._init.stdin).close()
        self._init.wait()
        os.close(self._alive)
        self._network.wait()

    def run(self, script: str, check: bool = True) -> str:
        """Run lines of shell as root of the root.

        :returns: what they print, errors included
        :raises subprocess.CalledProcessError: they end with another status than 0
        """
        enter = ["nsenter", "--target", self._pid, "--all"]
        # Into a file: daemons that it starts may keep their standard output open.
        with tempfile.TemporaryFile() as output:
            code = subprocess.run(
                [*enter, "timeout", _LONGEST, "bash", "-euo", "pipefail", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_ENVIRONMENT,
                cwd="/",
                check=False,
            ).returncode
            output.seek(0)
            text = output.read().decode(errors="replace")
        if check and code:
            raise subprocess.CalledProcessError(code, script, text)
        return text

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file; its folder is made if need be."""
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)


def remove(folder: pathlib.Path) -> None:
    """Remove a root that does not run; what is mounted in it would stay."""
    if folder.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True)


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copy a root, in place of one that is there."""
    remove(target)
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
