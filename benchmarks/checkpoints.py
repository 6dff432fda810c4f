# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a warm program by the commands of container engines, and starts from them."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import typing

from tests.support import warm

_SECONDS = 600  # until an answer
_NAME = "warm"
_IMAGE = f"{_NAME}:1"
#: No program of the image is asked for, so that podman needs no init of its own.
_OPTIONS = ("--network=none", "--security-opt=no-new-privileges")


class CheckpointError(Exception):
    """The engine made no checkpoint, or started nothing from it; with its reason."""


class Checkpoint:
    """A program that is warm, its checkpoint, and containers that are started from that.

    :param files: the tar of the image's files
    :param command: of the container
    :param env: of the engine's commands
    :ivar seconds: what the checkpoint took
    """

    #: What its containers need besides what those of the others have.
    options: typing.ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        files: bytes,
        command: typing.Sequence[str],
        env: typing.Mapping[str, str] = os.environ,
    ) -> None:
        self._command, self._env = command, env
        with tempfile.NamedTemporaryFile() as file:
            file.write(files)
            file.flush()
            self._run("import", file.name, _IMAGE)
        options = (*_OPTIONS, *self.options)
        self._source = self._run("run", "--detach", *options, _IMAGE, *command)
        try:
            warm.ask(self._pid(self._source), "look", _SECONDS)
            start = time.perf_counter()
            self._check()
            self.seconds = time.perf_counter() - start
        except BaseException:
            self.remove()
            raise

    def answered(self) -> float:
        """Seconds from the start of a container to its first answer.

        :raises CheckpointError: it does not start
        """
        raise NotImplementedError

    def remove(self) -> None:
        """Remove its source."""
        self._run("rm", "--force", self._source)

    def _check(self) -> None:
        raise NotImplementedError

    def _pid(self, container: str) -> int:
        return int(self._run("inspect", "--format", "{{.State.Pid}}", container))

    def _run(self, *words: str) -> str:
        """What a command of the engine prints.

        :raises CheckpointError: it failed
        """
        command = self._words(*words)
        # Files, because podman's monitors of containers have its output open while these run.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            finished = subprocess.run(command, stdout=out, stderr=err, env=self._env)  # noqa: S603
            out.seek(0)
            err.seek(0)
            if finished.returncode:
                reason = err.read().strip().splitlines()[-1:]
                raise CheckpointError(f"{' '.join(words[:2])}: {' '.join(reason)}")
            return out.read().strip()

    def _words(self, *words: str) -> list[str]:
        raise NotImplementedError


class DockerCheckpoint(Checkpoint):
    """``docker checkpoint``, which is experimental.

    It starts from no other place than the new container's own, so that the checkpoint is copied
    before; that copy is not counted.

    :param url: of the engine
    :param data: the engine's folder
    """

    def __init__(
        self, url: str, data: pathlib.Path, files: bytes, command: typing.Sequence[str]
    ) -> None:
        self._url, self._data = url, data
        super().__init__(files, command)

    def answered(self) -> float:
        """See `Checkpoint.answered`."""
        container = self._run("create", *_OPTIONS, _IMAGE, *self._command)
        folder = self._data / "containers"
        source, target = (folder / one / "checkpoints" for one in (self._source, container))
        shutil.copytree(source, target, dirs_exist_ok=True)
        start = time.perf_counter()
        self._run("start", f"--checkpoint={_NAME}", container)
        warm.ask(self._pid(container), "look", _SECONDS)
        seconds = time.perf_counter() - start
        self._run("rm", "--force", container)
        return seconds

    def _check(self) -> None:
        self._run("checkpoint", "create", "--leave-running", self._source, _NAME)

    def _words(self, *words: str) -> list[str]:
        return ["docker", f"--host={self._url}", *words]


class PodmanCheckpoint(Checkpoint):
    """``podman container checkpoint``, and ``restore`` of what it exports under another name.

    :param folder: its own, with all that podman has
    :param criu: the program
    """

    # Those that it sets by itself may be more than this process may have.
    options = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")

    def __init__(
        self, folder: pathlib.Path, criu: pathlib.Path, files: bytes, command: typing.Sequence[str]
    ) -> None:
        if not shutil.which("podman"):
            raise CheckpointError("it is not installed - run 'apt-get install podman'")
        self._folder, self._count = folder, 0
        folder.mkdir()
        env = {**os.environ, "PATH": f"{criu.parent}:{os.environ['PATH']}"}
        super().__init__(files, command, env)

    def answered(self) -> float:
        """See `Checkpoint.answered`; unpacks what was exported, too."""
        self._count += 1
        name = f"{_NAME}-{self._count}"
        start = time.perf_counter()
        self._run("container", "restore", "--import", str(self._exported), "--name", name)
        pid = self._pid(name)
        # Without an address of its own, what is restored has a loopback interface that is down.
        up = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "link", "set", "lo", "up"]
        subprocess.run(up, check=True)  # noqa: S603
        warm.ask(pid, "look", _SECONDS)
        seconds = time.perf_counter() - start
        self._run("rm", "--force", "--time=0", name)
        return seconds

    def remove(self) -> None:
        """Remove its containers, and what podman has mounted."""
        self._run("rm", "--force", "--time=0", "--all")
        subprocess.run(["umount", str(self._folder / "data" / "overlay")], capture_output=True)  # noqa: S603, S607

    @property
    def _exported(self) -> pathlib.Path:
        return self._folder / "checkpoint.tar"

    def _check(self) -> None:
        words = ("--leave-running", "--compress", "none", "--export", str(self._exported))
        self._run("container", "checkpoint", *words, self._source)

    def _words(self, *words: str) -> list[str]:
        folder = self._folder
        own = [f"--root={folder}/data", f"--runroot={folder}/run", f"--tmpdir={folder}/own"]
        runc = shutil.which("runc") or "/usr/sbin/runc"
        return ["podman", *own, "--cgroup-manager=cgroupfs", f"--runtime={runc}", *words]
