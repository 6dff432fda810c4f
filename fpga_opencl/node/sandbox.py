# SPDX-License-Identifier: Apache-2.0
"""What a worker gives up before anything of OpenCL is loaded.

Kernels are native code of strangers, and their compiler reads what they name. So a worker has no
network, sees no other process and no file of the host but OpenCL's own, is a user of its own
without rights, and has limits.
"""

import os
import resource
import signal
import sys
import traceback
import typing

from fpga_nova.confined import groups
from fpga_opencl.node import kernel, root, seccomp
from fpga_opencl.node.settings import Settings

_NAMESPACES = (
    kernel.NEW_NAMESPACE
    | kernel.NEW_NET
    | kernel.NEW_IPC
    | kernel.NEW_UTS
    | kernel.NEW_CGROUP
    | kernel.NEW_PID
)
_FILES = 256  # descriptors
_ENVIRONMENT = {
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
    "HOME": root.TEMPORARY,
    "TMPDIR": root.TEMPORARY,
    "POCL_CACHE_DIR": f"{root.TEMPORARY}/pocl",
    "OCL_ICD_VENDORS": "/etc/OpenCL/vendors",
}


def run(
    settings: Settings,
    entrances: typing.Iterable[str],
    folder: str,
    serve: typing.Callable[[], None],
) -> typing.NoReturn:
    """Become a worker, in a new process without threads that root has started.

    :param entrances: of its control groups (`groups.make`)
    :param folder: an empty one
    :param serve: what runs in the sandbox; the process ends after it, and all that it started
    """
    status = 1
    try:
        kernel.die_with_parent(signal.SIGKILL)
        groups.enter(entrances)
        _limit(settings)
        filters = seccomp.Filter()
        kernel.unshare(_NAMESPACES)
        child = os.fork()
        if child == 0:
            _confine(settings, folder, filters)
            serve()
            status = 0
        else:
            # Only its child is in the new namespace of processes, and is the first there.
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:
        # Not raised: the caller's code is the server's, in the worker's process.
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status if status >= 0 else 128 - status)


def _limit(settings: Settings) -> None:
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, settings.file_size),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_AS, settings.address_space),
        (resource.RLIMIT_CPU, settings.cpu_seconds),
        (resource.RLIMIT_NPROC, settings.processes),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def _confine(settings: Settings, folder: str, filters: seccomp.Filter) -> None:
    kernel.die_with_parent(signal.SIGKILL)
    os.umask(0o022)  # the root's folders are for the worker, too
    root.change(settings.files, settings.file_size, settings.uid, folder)
    kernel.drop_capabilities()
    os.setgroups([])
    os.setresgid(settings.uid, settings.uid, settings.uid)
    os.setresuid(settings.uid, settings.uid, settings.uid)
    # Again: the kernel forgot it with the user.
    kernel.die_with_parent(signal.SIGKILL)
    kernel.no_new_privileges()
    filters.load()
    # A write beyond the limit fails instead of ending the worker; pocl waits for its linker.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A compiler's messages would fill the server's log.
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
