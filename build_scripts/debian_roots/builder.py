# SPDX-License-Identifier: Apache-2.0
"""Makes roots, layer upon layer, and uses those again that are still what is asked for."""

import collections.abc
import contextlib
import fcntl
import pathlib
import subprocess

from debian_roots import machine, root
from debian_roots.layer import BASE, File, Layer, digests

#: Where a root has the packages that were downloaded before.
_ARCHIVES = "/var/cache/apt/archives"

#: What a package asks that wants to start a service; its answer is that this is not allowed.
_POLICY = "/usr/sbin/policy-rc.d"

_SETTINGS = {
    "/etc/dpkg/dpkg.cfg.d/fast": File("force-unsafe-io\n"),
    "/etc/hostname": File("debian\n"),
    "/etc/hosts": File("127.0.0.1 localhost debian\n::1 localhost\n"),
    # slirp4netns answers there.
    "/etc/resolv.conf": File("nameserver 10.0.2.3\n"),
}


class Builder:
    """Makes the roots of one suite.

    :param folder: of this suite; holds a folder for each layer, and the downloaded packages
    """

    def __init__(self, folder: pathlib.Path, suite: str) -> None:
        self.folder, self.suite = folder, suite
        self.sources = machine.sources_of(suite)

    @property
    def debs(self) -> pathlib.Path:
        """The downloaded packages."""
        return self.folder / "debs"

    def digest(self, *layers: Layer) -> str:
        """What a root of these layers is made of."""
        return digests(self.suite, self.sources, (BASE, *layers))[-1]

    def make(self, *layers: Layer) -> pathlib.Path:
        """Make a root of the base and these layers, except what was made before.

        :returns: its folder, ``FOLDER/NAME`` of the last layer
        :raises subprocess.CalledProcessError: debootstrap, apt or a layer's lines failed
        """
        every = (BASE, *layers)
        below = None
        for layer, digest in zip(every, digests(self.suite, self.sources, every), strict=True):
            target, stamp = self.folder / layer.name, self.folder / f"{layer.name}.stamp"
            if not is_current(stamp, digest):
                stamp.unlink(missing_ok=True)
                (self.debs / "partial").mkdir(parents=True, exist_ok=True)
                if below is None:
                    self._bootstrap(target)
                else:
                    root.copy(below, target)
                self._install(target, layer)
                stamp.write_text(digest)
            below = target
        return self.folder / every[-1].name

    @contextlib.contextmanager
    def file(
        self, name: str, digest: str, write: collections.abc.Callable[[pathlib.Path], object]
    ) -> collections.abc.Iterator[pathlib.Path]:
        """The file ``FOLDER/NAME`` that is made of a root; no other process writes it meanwhile.

        :param digest: of the root
        :param write: makes the root and writes the file, unless it is there
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target, stamp = self.folder / name, self.folder / f"{name}.stamp"
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_current(stamp, digest):
                stamp.unlink(missing_ok=True)
                write(target)
                stamp.write_text(digest)
            yield target

    def _bootstrap(self, target: pathlib.Path) -> None:
        root.remove(target)
        mirror = self.sources.split()[1]
        options = ["--variant=minbase", f"--cache-dir={self.debs}"]
        subprocess.run(
            ["unshare", "--mount", "debootstrap", *options, self.suite, str(target), mirror],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        write(target, _SETTINGS | machine.files(self.sources) | machine.authorities())

    def _install(self, target: pathlib.Path, layer: Layer) -> None:
        write(target, layer.files)
        if not (layer.packages or layer.before or layer.after):
            return
        with root.Root(target, {_ARCHIVES: self.debs}) as debian:
            debian.write(_POLICY, "#!/bin/sh\nexit 101\n", mode=0o755)
            debian.run("apt-get update")
            debian.run(layer.before)
            if layer.packages:
                debian.run(f"apt-get install {' '.join(layer.packages)}")
            with contextlib.suppress(FileNotFoundError):
                (target / _POLICY.lstrip("/")).unlink()
            debian.run(layer.after)


def is_current(stamp: pathlib.Path, digest: str) -> bool:
    """Whether a stamp is that of a finished root of the same digest."""
    return stamp.exists() and stamp.read_text() == digest


def write(folder: pathlib.Path, files: collections.abc.Mapping[str, File]) -> None:
    """Write files below a folder of a root."""
    debian = root.Root(folder, {})
    for path, file in files.items():
        debian.write(path, file.text, file.mode)
