# SPDX-License-Identifier: Apache-2.0
"""What a container has for OpenCL beside the socket of its region, so that its image needs nothing.

The files come from the host, read-only. A loader of the image's own, in the folder of its
architecture, goes before the host's.
"""

import pathlib
import typing

from docker.types import Mount
from oslo_config import cfg

from fpga_hooks.instance import devices

CONF = cfg.CONF

#: What the name of a region's socket begins with; the library looks at the first.
_SOCKET = "/dev/opencl"
#: Where each file of the option's folder is in the container.
_PLACES = {
    "libfpga-opencl.so": "/usr/lib/fpga-nova/libfpga-opencl.so",
    "libOpenCL.so.1": "/usr/lib/libOpenCL.so.1",
    "fpga-nova.icd": "/etc/OpenCL/vendors/fpga-nova.icd",
}
TARGETS = frozenset(_PLACES.values())


def mounts(passed: typing.Sequence[devices.Device]) -> list[Mount]:
    """The files of a container that has a region of OpenCL; none for others.

    :param passed: the devices of the instance's regions
    """
    folder = CONF.docker.opencl_folder
    if not folder or not any(_is_opencl(device) for device in passed):
        return []
    return [
        Mount(target, str(pathlib.Path(folder, name)), type="bind", read_only=True)
        for name, target in _PLACES.items()
    ]


def _is_opencl(device: devices.Device) -> bool:
    return device.kind == "socket" and device.container_path.startswith(_SOCKET)
