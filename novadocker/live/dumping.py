# SPDX-License-Identifier: Apache-2.0
"""Dumps a container that goes on, in two steps, so that it stands still for the first alone.

`dump` writes CRIU's files, `sign` measures and signs them, and nova-compute's group may read them
from then on. `discard` removes them.
"""

import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import shutil
import signal
import time
import typing

from fpga_nova import durable
from fpga_nova.confined import folders
from novadocker.live import containers, criu, facts, manifest, places, reasons, regions
from novadocker.live.errors import LiveError
from novadocker.live.settings import Settings

_FACTS = "facts.json"
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
    places.prepare(settings)
    with _lock(settings, fcntl.LOCK_SH):
        _remove(settings, container)
        folder.mkdir(mode=0o700)
        with _in_work(settings, container):
            host, bundle = facts.of_host(settings), facts.bundle(settings, container)
            ready = time.monotonic()
            _await_pause(settings, container)
            paused = time.monotonic()
            obstacle = regions.disconnect(settings, owner)
            found = facts.of_container(settings, container, bundle)
            _checkpoint(settings, container, folder, obstacle)
            (folder / _FACTS).write_text(json.dumps(host | found))
        shutil.rmtree(settings.ready(container), ignore_errors=True)
        return Seconds(ready - start, paused - ready, time.monotonic() - paused)


def suspend(settings: Settings, container: str, owner: str | None = None) -> Seconds:
    """Dump a container once it is paused, keep the dump for its next start, and kill its processes.

    They are killed while they are paused, so that none of them runs on, and once the dump would
    outlast a loss of power.

    :param container: the engine's id
    :param owner: see `dump`
    :raises LiveError: it cannot be dumped, with the reason; it was not killed, and nothing is left
    """
    found = dump(settings, container, owner)
    folder, target = folder_of(settings, container), settings.suspended(container)
    with _lock(settings, fcntl.LOCK_SH):
        with _in_work(settings, container):
            nobody = _described(folder, project="", instance="", bitstreams=(), image="", files=())
            (folder / manifest.MANIFEST).write_bytes(nobody.dump())
            durable.sync_tree(folder)
            processes = facts.processes(settings, container)
            _check_paused(settings, container)
            places.remove(settings, target)
            folder.rename(target)
        durable.sync_folder(target.parent)
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    return found


def _check_paused(settings: Settings, container: str) -> None:
    """See that a container does nothing yet that its dump does not know.

    :raises LiveError: it goes on, because nova-compute has given the dump up
    """
    status = facts.state(settings, container)["status"]
    if status != "paused":
        raise LiveError(f"the container is {status} before its dump is complete: try again")


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
    # What this host refuses at a launch must not be all that is left of a server.
    signatures.check_own(settings.signing_key, settings.trusted_keys)
    manifest.load(data)
    signature = signatures.sign(data, settings.signing_key)
    # A container that is suspended is restored by its manifest: a part of one would be its end.
    durable.write(folder / manifest.MANIFEST, data)
    durable.write(folder / manifest.SIGNATURE, signature)
    files = [*(folder / manifest.CRIU).iterdir(), folder / manifest.MANIFEST]
    modes = dict.fromkeys([*files, folder / manifest.SIGNATURE], 0o640)
    places.hand_over(settings.group, modes | dict.fromkeys((folder / manifest.CRIU, folder), 0o750))
    return folder


def _described(folder: pathlib.Path, **others: typing.Any) -> manifest.Manifest:
    """The manifest of a dump."""
    found = json.loads((folder / _FACTS).read_text())
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return manifest.Manifest(created=now, **found, **others)


def discard(settings: Settings, container: str) -> None:
    """Remove a dump; none is as good. One in work has ended when this returns.

    What waits for the pause sees it, and CRIU fails at its next file: later it would have a
    container that goes on stand still again. A container that is suspended starts anew afterwards.
    """
    folder = folder_of(settings, container)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            stack.callback(fcntl.flock, descriptor, fcntl.LOCK_EX)
        _remove(settings, container)
        places.remove(settings, settings.suspended(container))


def suspended(settings: Settings) -> list[str]:
    """The containers that are suspended."""
    folder = settings.suspended("")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def sweep(settings: Settings) -> None:
    """Remove all dumps but those of suspended containers; for a nova-compute with none in work.

    One that an earlier nova-compute began ends first: CRIU leaves a container as it found it, so
    nobody may have it go on meanwhile.
    """
    places.prepare(settings)
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


@contextlib.contextmanager
def _in_work(settings: Settings, container: str) -> typing.Iterator[None]:
    """Hold the folder of a dump, as `discard` sees; of a failure nothing is left."""
    try:
        with folders.held(folder_of(settings, container)):
            yield
    except BaseException:
        _remove(settings, container)
        raise


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
    # It has no limit of its own: a CRIU without its runc would go on. See `discard`.
    finished = criu.run_runc(
        settings, [*arguments, "--work-path", str(work), container], folder, capture_output=True
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
