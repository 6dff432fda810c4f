# SPDX-License-Identifier: Apache-2.0
"""The walk's second half: another bitstream for a server that runs, and a claim of what is left."""

import json
import time
import typing

if typing.TYPE_CHECKING:
    from scenario import Walk

#: The bitstream that takes the place of a program of the same devices.
BITSTREAM = "packbits"


def walk(
    steps: "Walk",
    servers: list[typing.Any],
    lzo: typing.Callable[[bytes], bytes],
    packbits: typing.Callable[[bytes], bytes],
) -> None:
    """Program a server, use it, claim the second region, see a boot refused, and release.

    :param servers: those of the walk; what is booted here is added
    :param lzo: what expands the answers of the flavor's function
    :param packbits: what expands those of the other bitstream
    :raises CloudError: a step did not give what it should
    """
    steps.say("\n== A server that runs gets another bitstream")
    server = steps.boot("dcr1", "fpga-lzo")
    servers.append(server)
    steps.use(server, "lzo1x_compress", lzo)
    before = steps.cloud.region_of(server.id) or {}
    start = time.monotonic()
    steps.shell("openstack", "fpga", "program", "create", server.name, BITSTREAM, "--wait")
    steps.figures[f"program {server.name} ({BITSTREAM})"] = round(time.monotonic() - start, 2)
    region = steps.cloud.region_of(server.id) or {}
    steps.expect("the region is the same", region.get("id"), before.get("id"))
    steps.use(server, "packbits, in the same container, which was not rebooted", packbits)

    steps.say("\n== The administrator claims the second region; no region is left for a server")
    start = time.monotonic()
    claim = _claim(steps)
    steps.figures["claim"] = round(time.monotonic() - start, 2)
    try:
        steps.expect("the claim is", claim["State"], "active")
        steps.status("2/2")
        steps.available(0)
        steps.refused(len(steps.cloud.log("nova-scheduler")))
        servers.append(steps.cloud.api.compute.find_server("dcr3"))
    finally:
        steps.say("\n== The claim is released, and its region is free for a server")
        steps.shell(*_FPGA, "claim", "delete", claim["ID"], "--wait", cloud=steps.admin)
    steps.status("1/2")
    steps.available(1)


_FPGA = ("openstack", "fpga")


def _claim(steps: "Walk") -> dict[str, typing.Any]:
    words = (*_FPGA, "claim", "create", "--ttl", "600", "--wait", "-f", "json")
    found: dict[str, typing.Any] = json.loads(steps.shell(*words, cloud=steps.admin))
    return found
