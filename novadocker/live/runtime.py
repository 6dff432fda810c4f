# SPDX-License-Identifier: Apache-2.0
"""An OCI runtime: runc, but a container that is marked is restored instead of created.

The engine runs it as root. For a container without a mark it becomes runc at once. nova-compute
marks a container by a file with its id, which holds good once: a stop and a start of a clone is an
ordinary start. A mark names a live image, or says that the container was suspended on this host.
"""

import contextlib
import json
import os
import pathlib
import sys
import typing

from fpga_nova.confined import folders
from novadocker.live import containers, control_groups, criu, images, manifest, places, settings
from novadocker.live.errors import LiveError, Untrusted, words

if typing.TYPE_CHECKING:
    from novadocker.live.settings import Settings

#: runc's options before its command that stand alone; all others take a value.
_ALONE = ("--debug", "--systemd-cgroup")
#: Root's own notes of the containers that are restored and not started yet.
_RESTORED = "restored"
_MARK_SIZE = 65536
_SECONDS = 300


class Mark(typing.NamedTuple):
    """What nova-compute says of a container that is to be restored.

    :param images: the name of the folder of the image
    :param project: whose server the container is
    :param bitstreams: the digests of what is in its regions
    """

    images: str
    project: str
    bitstreams: tuple[str, ...]


def main(arguments: list[str]) -> int:
    """Do what the engine asks for.

    :param arguments: the file of the settings; then runc's
    """
    runc = arguments[1:]
    try:
        return _do(settings.read(pathlib.Path(arguments[0])), runc)
    except (LiveError, OSError) as e:
        _report(runc, words(e))
        return 1


def _do(config: "Settings", runc: list[str]) -> int:
    place = command_at(runc)
    verb, container = runc[place] if place < len(runc) else "", runc[-1] if runc else ""
    if not containers.ID.fullmatch(container):
        return _become_runc(config, runc)
    note = config.state / _RESTORED / container
    if verb == "start" and note.exists():
        note.unlink()
        return 0
    if verb in ("create", "delete"):
        # At a create it is of before a loss of power: what is created now has to be started.
        note.unlink(missing_ok=True)
    if verb != "create":
        return _become_runc(config, runc)
    mark = config.incoming / settings.MARKS / container
    if not os.path.lexists(mark):
        # It starts anew, so that what it had in memory is of no use.
        places.remove(config, config.suspended(container))
        return _become_runc(config, runc)
    try:
        _restore(config, runc, place, _taken(mark))
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.touch()
    except (LiveError, OSError) as e:
        raise LiveError(f"the live image is not restored: {e}") from e
    return 0


def command_at(arguments: typing.Sequence[str]) -> int:
    """Where runc's command is among its arguments."""
    place = 0
    while place < len(arguments) and arguments[place].startswith("-"):
        place += 1 if "=" in arguments[place] or arguments[place] in _ALONE else 2
    return place


def check(
    config: "Settings", mark: Mark, data: bytes, signature: bytes, bundle: containers.Bundle
) -> manifest.Manifest:
    """See that an image is what a trusted key has signed, and fits its container and this host.

    :param data: the manifest
    :raises Untrusted: it is not
    :raises LiveError: it does not fit
    """
    from novadocker.live import signatures  # not needed by all that becomes runc

    signatures.verify(data, signature, config.trusted_keys)
    found = manifest.load(data)
    if found.project != mark.project:
        raise Untrusted("it is of another project")
    if found.bitstreams != mark.bitstreams:
        raise Untrusted("it is of a server with another bitstream")
    _check_fit(found, bundle)
    return found


def _check_fit(found: manifest.Manifest, bundle: containers.Bundle) -> None:
    """See that what was dumped fits a container and this host.

    :raises LiveError: it does not
    """
    if found.machine != os.uname().machine:
        raise LiveError(f"it is of a host with the architecture {found.machine}")
    missing = set(found.cpu) - set(containers.processor())
    if missing:
        raise LiveError(f"this host's processor lacks {', '.join(sorted(missing))}")
    had = containers.Privileges(found.capabilities, found.no_new_privileges, found.seccomp)
    if not had.within(bundle.privileges):
        raise LiveError("its processes have more privileges than containers have on this host")
    if found.mounts != bundle.mounts:
        others = ", ".join(sorted(set(found.mounts) ^ set(bundle.mounts)))
        raise LiveError(f"it has other mounts than its source: {others}")


def _restore(config: "Settings", runc: list[str], place: int, mark: Mark | None) -> None:
    bundle = containers.bundle(pathlib.Path(_value_of(runc[place:], "--bundle") or "."))
    places.prepare(config)
    with folders.fresh(config.work, "restore-") as work:
        if mark is None:
            _resume(config, runc, place, bundle, work)
        else:
            files = _copied(config, mark, bundle, work)
            images.name_host(files, bundle.host_name)
            _run(config, runc, place, bundle, files, work)


def _copied(
    config: "Settings", mark: Mark, bundle: containers.Bundle, work: pathlib.Path
) -> pathlib.Path:
    """The files of a live image, as they were signed."""
    from novadocker.live import signatures  # not needed by all that becomes runc

    with _images(config, mark) as source:
        data = _small(source, manifest.MANIFEST, manifest.MOST)
        signature = _small(source, manifest.SIGNATURE, signatures.MOST)
        found = check(config, mark, data, signature, bundle)
        files = work / manifest.CRIU
        files.mkdir(mode=0o700)
        with _opened(manifest.CRIU, source) as criu_source:
            manifest.copy(criu_source, files, found.files)
    return files


def _resume(
    config: "Settings", runc: list[str], place: int, bundle: containers.Bundle, work: pathlib.Path
) -> None:
    """Restore a container from its own dump, which is root's alone; a failure leaves the dump."""
    dump = config.suspended(runc[-1])
    try:
        data = (dump / manifest.MANIFEST).read_bytes()
    except OSError as e:
        raise LiveError(f"there is no dump of the container: {e.strerror}") from e
    _check_fit(manifest.load(data), bundle)
    _run(config, runc, place, bundle, dump / manifest.CRIU, work)
    places.remove(config, dump)


def _run(
    config: "Settings",
    runc: list[str],
    place: int,
    bundle: containers.Bundle,
    files: pathlib.Path,
    work: pathlib.Path,
) -> None:
    """Have runc restore a container, of which nothing is left otherwise."""
    argv = [*runc[:place], "restore", "--detach", "--no-subreaper", "--file-locks"]
    argv += ["--image-path", str(files), "--work-path", str(work), *runc[place + 1 :]]
    groups = control_groups.restore(bundle.groups, work)
    root = _value_of(runc[:place], "--root") or "/run/runc"  # by default
    try:
        if criu.run_runc(config, argv, work, *groups, timeout=_SECONDS).returncode:
            raise LiveError(f"CRIU: {criu.complaint(work / 'restore.log')}")
        control_groups.check(pathlib.Path(root, runc[-1], "state.json"))
    except LiveError:
        delete = ["--root", root, "delete", "--force", runc[-1]]
        criu.run_runc(config, delete, work, timeout=_SECONDS)
        raise


def _taken(path: pathlib.Path) -> Mark | None:
    """Read a mark, which holds good no more; None if it is of a container that was suspended."""
    with _opened_file(path) as file:
        data = file.read(_MARK_SIZE)
    path.unlink()
    try:
        table = json.loads(data)
        if table == {"suspended": True}:
            return None
        mark = Mark(str(table["images"]), str(table["project"]), tuple(table["bitstreams"]))
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise LiveError(f"{path} cannot be read: {e!r}") from e
    if "/" in mark.images or mark.images.startswith("."):
        raise LiveError(f"{path} does not name a folder")
    return mark


@contextlib.contextmanager
def _opened_file(path: pathlib.Path) -> typing.Iterator[typing.BinaryIO]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        yield file


@contextlib.contextmanager
def _images(config: "Settings", mark: Mark) -> typing.Iterator[int]:
    with (
        _opened(os.fspath(config.incoming / settings.IMAGES)) as parent,
        _opened(mark.images, parent) as found,
    ):
        yield found


@contextlib.contextmanager
def _opened(path: str, parent: int | None = None) -> typing.Iterator[int]:
    """The descriptor of a folder."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, dir_fd=parent)
    except OSError as e:
        raise LiveError(f"its folder {path} cannot be read: {e.strerror}") from e
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _small(source: int, name: str, most: int) -> bytes:
    """A file of a folder that is read whole."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(name, flags, dir_fd=source), "rb") as file:
            data = file.read(most + 1)
    except OSError as e:
        raise Untrusted(f"{name} cannot be read: {e.strerror}") from e
    if len(data) > most:
        raise Untrusted(f"{name} is too large")
    return data


def _value_of(arguments: typing.Sequence[str], name: str) -> str | None:
    """The value of an option of runc's."""
    for place, word in enumerate(arguments):
        if word == name and place + 1 < len(arguments):
            return arguments[place + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _report(runc: typing.Sequence[str], text: str) -> None:
    """Give the engine the reason where it looks for one."""
    sys.stderr.write(f"{text}\n")
    log = _value_of(runc, "--log")
    if log:
        with open(log, "a") as file:  # noqa: PTH123 - containerd makes it a pipe in some releases
            json.dump({"level": "error", "msg": text}, file)
            file.write("\n")


def _become_runc(config: "Settings", arguments: list[str]) -> int:
    try:
        os.execv(config.runc, [os.fspath(config.runc), *arguments])  # noqa: S606 - root's own program
    except OSError as e:
        raise LiveError(f"{config.runc} cannot be run: {e.strerror}") from e


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
