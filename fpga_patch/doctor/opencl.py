# SPDX-License-Identifier: Apache-2.0
"""Checks of a host whose containers have regions of OpenCL: a vector is added in a worker."""

import array
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import typing

from fpga_opencl import client
from fpga_opencl.client.resources import DeviceMemoryObject
from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import Settings

_CHECK = "opencl"
_FILES = ("libfpga-opencl.so", "libOpenCL.so.1", "fpga-nova.icd")
_SECONDS = 60
_PAUSE = 0.1  # seconds between two looks for the server's socket
#: Users of nobody else from here on, so that node servers of the host may run meanwhile; each
#: doctor has that of its process, of which there are 4,194,304 at the most.
_USERS = 2_090_000_000
_SOURCE = """
kernel void add(global const int *a, global const int *b, global int *sum) {
    size_t i = get_global_id(0);
    sum[i] = a[i] + b[i];
}
"""
_LENGTH = 1024


class _FailedError(Exception):
    """OpenCL does not work here; the message says why."""


def containers(settings: Settings) -> list[Finding]:
    """What containers get must be there, and work with a worker of this host, which is tried."""
    folder = settings.conf.docker.opencl_folder
    if not folder:
        return [Finding(_CHECK, "skipped", "[docker] opencl_folder is not set")]
    missing = [name for name in _FILES if not pathlib.Path(folder, name).is_file()]
    if missing:
        text = f"{folder} lacks {', '.join(missing)}"
        return [Finding(_CHECK, "missing", text, "make opencl, or the package fpga-nova-opencl")]
    if os.geteuid() != 0:
        return [Finding(_CHECK, "skipped", "only root can confine a worker")]
    try:
        name = _try(pathlib.Path(folder))
    except (OSError, subprocess.SubprocessError, _FailedError, client.OpenCLError) as e:
        text = f"kernels do not run here: {str(e) or type(e).__name__}"
        return [Finding(_CHECK, "missing", text, "see docs/opencl-node.md")]
    return [Finding(_CHECK, "ok", f"{name} adds vectors in a worker")]


def _try(folder: pathlib.Path) -> str:
    """The name of the first device, which clinfo lists, and which adds vectors."""
    with tempfile.TemporaryDirectory() as name, _server(pathlib.Path(name)) as socket:
        _list(folder, pathlib.Path(name), socket)
        return _add(socket)


@contextlib.contextmanager
def _server(folder: pathlib.Path) -> typing.Iterator[str]:
    """A node server of one session; gives its socket."""
    socket = folder / "socket"
    words = [sys.executable, "-m", "fpga_opencl.node", "--socket", str(socket)]
    words += ["--sessions", "1", "--memory", "1", "--first-uid", str(_USERS + os.getpid())]
    with (
        (folder / "log").open("w+") as log,
        subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=log, cwd="/") as server,
    ):
        try:
            end = time.monotonic() + _SECONDS
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    lines = log.read().strip().splitlines()
                    raise _FailedError((lines or ["the node server does not start"])[-1])
                time.sleep(_PAUSE)
            yield str(socket)
        finally:
            server.terminate()


def _list(folder: pathlib.Path, work: pathlib.Path, socket: str) -> None:
    """See that clinfo lists a device through what containers get; without clinfo, do not."""
    program = shutil.which("clinfo")
    if program is None:
        return
    (work / "fpga-nova.icd").write_text(f"{folder.absolute()}/{_FILES[0]}\n")
    environment = {
        "PATH": os.defpath,
        "LD_LIBRARY_PATH": str(folder.absolute()),
        "OCL_ICD_VENDORS": str(work),
        "FPGA_OPENCL_SOCKET": socket,
    }
    found = subprocess.run(
        [program, "-l"], env=environment, capture_output=True, check=False, timeout=_SECONDS
    )
    if found.returncode or b"Device #0" not in found.stdout:
        raise _FailedError("clinfo lists no device")


def _add(socket: str) -> str:
    with _opened(socket) as session:
        device = next(iter(session.devices.list()), None)
        if device is None:
            raise _FailedError("OpenCL of this host has no device: clinfo -l lists them")
        context = session.contexts.create([device])
        queue = session.queues.create(context, device)
        program = session.programs.create(context, [_SOURCE])
        session.programs.build(program, [device])
        kernel = session.kernels.create(program, "add")
        operands = array.array("i", range(_LENGTH)), array.array("i", range(7, 7 + _LENGTH))
        for index, content in enumerate((*operands, array.array("i", bytes(4 * _LENGTH)))):
            buffer = session.buffers.create(context, 4 * _LENGTH)
            session.queues.enqueue_write(queue, buffer, 0, content.tobytes())
            session.kernels.setkernelarg(kernel, index, DeviceMemoryObject(buffer))
        session.queues.enqueue_ndrange(queue, kernel, [_LENGTH])
        answer = array.array("i", session.queues.enqueue_read(queue, buffer, 0, 4 * _LENGTH))
        if answer.tolist() != [a + b for a, b in zip(*operands, strict=True)]:
            raise _FailedError("the sum of two vectors is wrong")
        return str(session.devices.show(device)["name"])


def _opened(socket: str) -> client.Session:
    """A session; the worker of the last one may end only now."""
    end = time.monotonic() + _SECONDS
    while True:
        try:
            return client.open_session(socket)
        except client.DeviceLost as e:
            if time.monotonic() > end:
                raise _FailedError("no worker starts; the host may lack an implementation") from e
            time.sleep(_PAUSE)
