# SPDX-License-Identifier: Apache-2.0
"""OpenCL without a library of OpenCL: six resources and 37 calls on a session.

from fpga_opencl import client

with client.open_session("/dev/opencl0") as session:
    context = session.contexts.create([session.devices.list()[0]])
"""

from fpga_opencl.afar.tls import Place, RefusedError
from fpga_opencl.client.connection import DeviceLost, OpenCLError
from fpga_opencl.client.session import Session, open_afar, open_session

__all__ = [
    "DeviceLost",
    "OpenCLError",
    "Place",
    "RefusedError",
    "Session",
    "open_afar",
    "open_session",
]
