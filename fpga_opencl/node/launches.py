# SPDX-License-Identifier: Apache-2.0
"""Commands that run kernels."""

from fpga_opencl.node.objects import Refused
from fpga_opencl.node.opencl import NULL, Handle, ffi
from fpga_opencl.node.session import Session
from fpga_opencl.protocol import codes

_OFFSET, _GLOBAL, _LOCAL = ffi.new("size_t[3]"), ffi.new("size_t[3]"), ffi.new("size_t[3]")


def kernel(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    number: int,
    dimensions: int,
    given: int,
    *sizes: int,
) -> bytes:
    """Run a kernel."""
    objects = session.objects
    handle, one = objects.queues[queue], objects.kernels[number]
    if one.failed:
        raise Refused(codes.INVALID_KERNEL_ARGS)
    if not 1 <= dimensions <= 3:
        raise Refused(codes.INVALID_WORK_DIMENSION)
    session.free_event(event)
    waits, _rest = session.waits(count, tail)
    status = session.library.clEnqueueNDRangeKernel(
        handle,
        one.handle,
        dimensions,
        _filled(_OFFSET, sizes[0:3]) if given & 1 else NULL,
        _filled(_GLOBAL, sizes[3:6]) if given & 2 else NULL,
        _filled(_LOCAL, sizes[6:9]) if given & 4 else NULL,
        count,
        waits,
        session.event if event else NULL,
    )
    return session.enqueued(status, event)


def _filled(array: Handle, values: tuple[int, ...]) -> Handle:
    array[0], array[1], array[2] = values
    return array
