# SPDX-License-Identifier: Apache-2.0
"""Dumps a container that goes on, in two steps, so that it stands still for the first alone.

`dump` writes CRIU's files, `sign` measures and signs them, and nova-compute's group may read them
from then on. `discard` removes them.
"""

import contextlib
import datetime
import fcntl
import grp
import json
import os
import pathlib
import shutil
import signal
import time
import typing

from novadocker.live import containers, criu, facts, manifest, reasons, regions
from novadocker.live.errors import LiveError
from novadocker.live.settings import Settings

_FACTS = "facts.json"
_SECONDS = 300
#: Seconds that nova-compute may take to have the engine pause a container, and between two looks.
_PATIENCE, _PAUSE = 60, 0.02


class Seconds(typing.NamedTuple):
    """How long the parts of a dump took.

    :param preparation: before it was ready
    :param pause: until the container was paused
    :param dump: while it was paused
    """

    preparation: float
    pause: float
    dump: float


def dump(settings: Settings, container: str, owner: str | None = None) -> Seconds:
    """Dump a container once it is paused, which it is afterwards as before.

    All that needs no pause is done first. Then a sign says that the dump is ready.

    :param container: the engine's id
    :param owner: who holds the FPGA regions of the container; None if it has none
    :raises LiveError: it cannot be dumped, with the reason; nothing is left
    """
    folder = folder_of(settings, container)
    start = time.monotonic()
    # nova-compute goes through them to what it may read.
    for parent in (settings.state, settings.spool):
        _make(parent, 0o711)
    with _lock(settings, fcntl.LOCK_SH):
        _remove(settings, container)
        _make(folder, 0o700)
        try:
            host, bundle = facts.of_host(settings), facts.bundle(settings, container)
            ready = time.monotonic()
            _await_pause(settings, container)
            paused = time.monotonic()
            obstacle = regions.disconnect(settings, owner)
            found = facts.of_container(settings, container, bundle)
            _checkpoint(settings, container, folder, obstacle)
            (folder / _FACTS).write_text(json.dumps(host | found))
        except BaseException:
            _remove(settings, container)
            raise
        shutil.rmtree(settings.ready(container), ignore_errors=True)
        return Seconds(ready - start, paused - ready, time.monotonic() - paused)


def suspend(settings: Settings, container: str, owner: str | None = None) -> Seconds:
    """Dump a container once it is paused, keep the dump for its next start, and kill its processes.

    They are killed while they are paused, so that none of them runs on.

    :param container: the engine's id
    :param owner: see `dump`
    :raises LiveError: it cannot be dumped, with the reason; it was not killed
    """
    found = dump(settings, container, owner)
    folder, target = folder_of(settings, container), settings.suspended(container)
    _make(target.parent, 0o711)
    with _lock(settings, fcntl.LOCK_SH):
        described = _described(folder, project="", instance="", bitstreams=(), image="", files=())
        (folder / manifest.MANIFEST).write_bytes(described.dump())
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
        for process in facts.processes(settings, container):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    return found


def sign(
    settings: Settings,
    container: str,
    project: str,
    instance: str,
    bitstreams: tuple[str, ...],
    image: str,
) -> pathlib.Path:
    """Measure and sign a dump; that of a container that is suspended stays there.

    :param project: whose server it is
    :param instance: the server
    :param bitstreams: the digests of what is in its regions
    :param image: the digest of the archive with its files
    :returns: the folder, which nova-compute may read
    :raises LiveError: there is no dump or no key
    """
    from novadocker.live import signatures  # not while the container stands still: it takes longer

    folder = folder_of(settings, container)
    if not (folder / _FACTS).exists():
        folder = settings.suspended(container)
    if not (folder / _FACTS).exists():
        raise LiveError(f"there is no dump of container {container}")
    data = _described(
        folder,
        project=project,
        instance=instance,
        bitstreams=bitstreams,
        image=image,
        files=manifest.measure(folder / manifest.CRIU),
    ).dump()
    (folder / manifest.MANIFEST).write_bytes(data)
    (folder / manifest.SIGNATURE).write_bytes(signatures.sign(data, settings.signing_key))
    files = [*(folder / manifest.CRIU).iterdir(), folder / manifest.MANIFEST]
    modes = dict.fromkeys([*files, folder / manifest.SIGNATURE], 0o640)
    hand_over(settings.group, modes | dict.fromkeys((folder / manifest.CRIU, folder), 0o750))
    return folder


def _described(folder: pathlib.Path, **others: typing.Any) -> manifest.Manifest:
    """The manifest of a dump."""
    found = json.loads((folder / _FACTS).read_text())
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return manifest.Manifest(created=now, **found, **others)


def discard(settings: Settings, container: str) -> None:
    """Remove a dump; none is as good. One that waits for the pause ends.

    A container that is suspended starts anew afterwards.
    """
    folder_of(settings, container)
    _remove(settings, container)
    shutil.rmtree(settings.suspended(container), ignore_errors=True)


def suspended(settings: Settings) -> list[str]:
    """The containers that are suspended."""
    folder = settings.suspended("")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def sweep(settings: Settings) -> None:
    """Remove all dumps but those of suspended containers; for a nova-compute with none in work.

    One that an earlier nova-compute began ends first: CRIU leaves a container as it found it, so
    nobody may have it go on meanwhile.
    """
    if not settings.spool.is_dir():
        return
    for ready in settings.spool.glob(f"*{settings.ready('').name}"):
        shutil.rmtree(ready, ignore_errors=True)
    with _lock(settings, fcntl.LOCK_EX):
        for path in settings.spool.iterdir():
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _lock(settings: Settings, kind: int) -> typing.Iterator[None]:
    with settings.lock.open("w") as file:
        fcntl.flock(file, kind)
        yield


def _remove(settings: Settings, container: str) -> None:
    for path in (settings.ready(container), settings.spool / container):
        shutil.rmtree(path, ignore_errors=True)


def _await_pause(settings: Settings, container: str) -> None:
    """Say that all is ready, and wait until the container is paused.

    :raises LiveError: it does not run, is not paused in time, or the dump is discarded
    """
    sign = settings.ready(container)
    sign.mkdir(mode=0o700)
    end = time.monotonic() + _PATIENCE
    while (status := facts.state(settings, container)["status"]) != "paused":
        if status != "running":
            raise LiveError(f"the container is {status}")
        if not sign.is_dir():
            raise LiveError("the dump was discarded before the container was paused")
        if time.monotonic() > end:
            raise LiveError(f"the container was not paused within {_PATIENCE} s")
        time.sleep(_PAUSE)


def _checkpoint(
    settings: Settings, container: str, folder: pathlib.Path, obstacle: str | None
) -> None:
    work = folder / "work"
    work.mkdir()
    arguments = ["--root", str(settings.runc_root), "checkpoint", "--leave-running"]
    arguments += ["--file-locks", "--image-path", str(folder / manifest.CRIU)]
    finished = criu.run_runc(
        settings,
        [*arguments, "--work-path", str(work), container],
        folder,
        capture_output=True,
        timeout=_SECONDS,
    )
    if finished.returncode:
        reason = criu.complaint(work / "dump.log")
        said = finished.stderr.decode(errors="replace").strip()[-300:]
        # First what is the cause of the rest: the end may be cut off for the owner.
        cause = f"{obstacle}; " if obstacle else ""
        raise LiveError(f"{reasons.meaning(reason)} ({cause}CRIU: {reason}; runc: {said})")


def folder_of(settings: Settings, container: str) -> pathlib.Path:
    """Where the dump of a container is until nova-compute has it.

    :raises LiveError: it is not the id of a container
    """
    if not containers.ID.fullmatch(container):
        raise LiveError(f"'{container}' is not the id of a container")
    return settings.spool / container


def _make(folder: pathlib.Path, mode: int) -> None:
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    folder.chmod(mode)


def hand_over(group: str, modes: typing.Mapping[pathlib.Path, int]) -> None:
    """Have a group read what is nova-compute's, and only that.

    :raises LiveError: there is no such group
    """
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError as e:
        raise LiveError(f"there is no group {group}") from e
    for path, mode in modes.items():
        os.chown(path, 0, number)
        path.chmod(mode)
