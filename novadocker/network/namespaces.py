# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of containers, as the privileged process may enter them."""

import contextlib
import ctypes
import os
import pathlib
import re
import threading
import typing

from oslo_config import cfg

from novadocker import options

CONF = cfg.CONF
options.register_opts(CONF)

_T = typing.TypeVar("_T")

_CLONE_NEWNET = 0x40000000
#: The type of the file system of namespaces: NSFS_MAGIC of linux/magic.h.
_NSFS = 0x6E736673
#: The engine's names of them: twelve digits of the sandbox's id. The host's own is "default".
_NAME = re.compile(r"[0-9a-f]{12}")

_LIBC = ctypes.CDLL(None, use_errno=True)


class NamespaceError(ValueError):
    """A path is not the network namespace of a container of the engine."""


@contextlib.contextmanager
def opened(path: str) -> typing.Iterator[int]:
    """The descriptor of a container's network namespace.

    :param path: the engine's ``SandboxKey``
    :raises NamespaceError: it is something else, or nothing
    """
    folder = pathlib.Path(CONF.docker.network_namespaces).resolve()
    given = pathlib.Path(path)
    if given.parent.resolve() != folder or not _NAME.fullmatch(given.name):
        raise NamespaceError(f"{path} does not name a namespace in {folder}")
    _check_folder(folder)
    try:
        descriptor = os.open(folder / given.name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as e:
        raise NamespaceError(f"{path}: {e.strerror}") from e
    try:
        _check(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def inside(descriptor: int, function: typing.Callable[[], _T]) -> _T:
    """Call a function in a network namespace, in a thread that ends with it.

    :param descriptor: of the namespace
    :raises OSError: the namespace cannot be entered
    """
    results: list[_T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            if threading.get_native_id() == os.getpid():
                # A green thread of eventlet: the whole process would change its namespace.
                raise RuntimeError("setns(2) needs a thread of the kernel's")
            if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), "setns")
            results.append(function())
        except BaseException as e:
            failures.append(e)

    thread = threading.Thread(target=run, name="network-namespace")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _check_folder(folder: pathlib.Path) -> None:
    """See that only root can put something there.

    :raises NamespaceError: others can
    """
    try:
        status = folder.stat()
    except OSError as e:
        raise NamespaceError(f"{folder}: {e.strerror}") from e
    if status.st_uid != 0 or status.st_mode & 0o022:
        raise NamespaceError(f"{folder} can be written by others than root")


def _check(descriptor: int, path: str) -> None:
    """See that it is a namespace, and neither this process's nor the first process's.

    :raises NamespaceError: it is not
    """
    status = os.fstat(descriptor)
    hosts = {_identity(pathlib.Path("/proc/thread-self/ns/net").stat())}
    # The kernel shows that of a process with more capabilities to none with less.
    with contextlib.suppress(PermissionError):
        hosts.add(_identity(pathlib.Path("/proc/1/ns/net").stat()))
    if _file_system(descriptor) != _NSFS or _identity(status) in hosts:
        raise NamespaceError(f"{path} is not the network namespace of a container")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _file_system(descriptor: int) -> int:
    """The type of the file system that a file is on; Python's statvfs leaves it out."""
    buffer = ctypes.create_string_buffer(256)  # struct statfs has 120 bytes
    if _LIBC.fstatfs(descriptor, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "fstatfs")
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
