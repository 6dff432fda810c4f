# SPDX-License-Identifier: Apache-2.0
"""The verb `serve`: the resident region manager, which has loaded what commands need."""

import contextlib
import functools
import gc
import importlib
import os
import socket
import sys
import typing
from pathlib import Path

from fpga_regions import errors
from fpga_regions.command import arguments, client, server
from fpga_regions.command import options as configuration
from fpga_regions.system import folders, locks, sockets, supervision

if typing.TYPE_CHECKING:
    from oslo_config import cfg

_LOCK = "manager.lock"
_BACKLOG = 64
#: Seconds between two looks at the token, where no driver prepares images.
_SELDOM = 60.0
#: What commands import when they first need it.
_MODULES = (
    "fpga_regions.command.output",
    "fpga_regions.emulator.compiler",
    "fpga_regions.image.policy",
    "fpga_regions.image.sources",
    "fpga_regions.manager.dry_run",
    "fpga_regions.manager.preparation",
    "fpga_regions.manager.reconcile",
    "fpga_regions.manager.replacement",
    "jsonschema",
    "requests",
)


def serve(config_file: str | None, main: typing.Callable[..., int]) -> int:
    """Do the commands of clients until SIGTERM, then wait for those that run.

    After a change of the configuration or of our code it starts anew, once no command runs.

    :param config_file: None for the default one
    :param main: does a command, with its arguments and the configuration
    """
    identity = client.identity(config_file)
    # Before it is read: what changes meanwhile has changed.
    configured = _mark(identity)
    conf = configuration.load(config_file)
    interval = _load(conf)
    files = _code()
    code = [_mark(file) for file in files]

    def valid() -> bool:
        return _mark(identity) == configured and [_mark(file) for file in files] == code

    with _listener(conf) as listener:
        work = functools.partial(main, conf=conf)
        chores = [server.Chore(interval, lambda: work(["prepare"]))] if interval else []
        serving = server.Server(listener, work, identity, valid, chores)
        # What is there now is never looked at by the collector, and so never copied for a command.
        gc.freeze()
        supervision.notify("READY=1")
        serving.run()
        supervision.notify("STOPPING=1" if serving.stopped else "RELOADING=1")
    if not serving.stopped:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the very same command line
    return 0


def _load(conf: "cfg.ConfigOpts") -> float | None:
    """Load what commands need; what cannot be had is for each command to say.

    :returns: seconds between two preparations; None if there is no way to Glance, or no driver, or
        the configuration wants none
    """
    from fpga_regions.drivers import api
    from fpga_regions.image import glance
    from fpga_regions.package import manifest

    for name in _MODULES:
        importlib.import_module(name)
    arguments.parser()
    manifest.validator()
    with contextlib.suppress(errors.RegionError):
        drivers = api.load(conf)
        glance.connect(conf)
        if any(driver.prepares for driver in drivers.values()):
            return float(conf.prepare_interval) or None
        return _SELDOM
    return None


def _code() -> list[str]:
    """The files of our modules that are loaded."""
    ours = ("fpga_regions", "fpga_nova")
    modules = [one for name, one in sys.modules.items() if name.partition(".")[0] in ours]
    return [file for one in modules if (file := getattr(one, "__file__", None))]


def _mark(path: str) -> tuple[int, int, int] | None:
    """What a file is known by, until it changes; None if it is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - for each file of our code, for each command
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


@contextlib.contextmanager
def _listener(conf: "cfg.ConfigOpts") -> typing.Iterator[socket.socket]:
    """The listening socket: the service manager's, or one of our own.

    :raises errors.NotAccessible: there cannot be one
    """
    if (found := supervision.activated()) is not None:
        yield found
        # It stays open for the program that this process may become.
        os.set_inheritable(found.detach(), True)
        return
    folder = Path(conf.runtime_dir)
    try:
        folders.make_public(folder)
        with locks.held(folder / _LOCK), _bound(folder) as listener:
            yield listener
    except locks.NotLocked:
        raise errors.NotAccessible(f"another fpga-cli serves already in {folder}") from None
    except OSError as e:
        raise errors.NotAccessible(f"it cannot serve in {folder}: {e.strerror or e}") from e


@contextlib.contextmanager
def _bound(folder: Path) -> typing.Iterator[socket.socket]:
    path = folder / client.SOCKET
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        before = os.umask(0o177)
        try:
            with sockets.short(folder) as name:
                listener.bind(f"{name}/{path.name}")
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)
