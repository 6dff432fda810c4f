# SPDX-License-Identifier: Apache-2.0
"""The memory of devices that are processors: it is the worker's, which has a limit.

An implementation reports the memory of the whole host. A program that believes that is killed once
it has filled more than its worker may have. So buffers beyond the limit are refused.
"""

from fpga_opencl.node.objects import Refused
from fpga_opencl.protocol import codes

#: Of a worker's own: what it takes to load OpenCL, and to compile.
_OVERHEAD = 320 << 20
_DEVICE_MAX_MEM_ALLOC_SIZE, _DEVICE_GLOBAL_MEM_SIZE = 0x1010, 0x101F


class Room:
    """What the buffers of a session may have together.

    :param memory: bytes that the worker may use
    """

    def __init__(self, memory: int) -> None:
        self.total = max(memory - _OVERHEAD, memory // 4)
        self._taken = 0

    def take(self, size: int) -> None:
        """Note a new buffer.

        :raises Refused: there is no room for it
        """
        if size > self.largest:
            raise Refused(codes.INVALID_BUFFER_SIZE)
        if self._taken + size > self.total:
            raise Refused(codes.MEM_OBJECT_ALLOCATION_FAILURE)
        self._taken += size

    def give(self, size: int) -> None:
        """Note that a buffer is gone."""
        self._taken -= size

    @property
    def largest(self) -> int:
        """Bytes of the largest buffer; OpenCL permits no less than a quarter of all."""
        return self.total // 2

    def seen(self, parameter: int, value: int) -> int:
        """What a device has of its memory, as far as there is room.

        :param parameter: of a device
        :param value: what the implementation says
        """
        most = {_DEVICE_MAX_MEM_ALLOC_SIZE: self.largest, _DEVICE_GLOBAL_MEM_SIZE: self.total}
        return min(value, most.get(parameter, value))

    @staticmethod
    def concerns(parameter: int) -> bool:
        """Whether a parameter of a device is about its memory."""
        return parameter in (_DEVICE_MAX_MEM_ALLOC_SIZE, _DEVICE_GLOBAL_MEM_SIZE)
