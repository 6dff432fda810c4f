# SPDX-License-Identifier: Apache-2.0
"""Boots a server with an FPGA region on each host that is named, and deletes it.

    try_hosts.py HOST ...       credentials from the environment (openrc)

The image and the flavor are the demo's. Each host has a line. If one fails, the exit status is 1.
"""

import sys
import time
import typing

import openstack

FLAVOR, IMAGE = "fpga-lzo", "ubuntu_lzo"

#: Seconds until a server must be up, and then gone.
PATIENCE = 180


def main() -> int:
    """Try all, also after a failure."""
    cloud = openstack.connect(cloud="envvars")
    failed = 0
    for host in sys.argv[1:]:
        try:
            duration = _try(cloud, host)
        except (openstack.exceptions.SDKException, TimeoutError) as e:
            failed += 1
            print(f"{host}: {e}", file=sys.stderr, flush=True)
        else:
            print(f"{host}: a server was up after {duration:.1f} s, and is deleted", flush=True)
    return int(failed > 0)


def _try(cloud: typing.Any, host: str) -> float:
    """Boot one server there.

    :returns: seconds until it was up
    :raises TimeoutError: it is not up, or not gone, in time
    """
    start, compute = time.monotonic(), cloud.compute
    server = compute.create_server(
        name=f"try-{host}",
        flavor_id=compute.find_flavor(FLAVOR, ignore_missing=False).id,
        image_id=cloud.image.find_image(IMAGE, ignore_missing=False).id,
        networks="none",
        host=host,
    )
    try:
        _wait(lambda: compute.get_server(server.id).status not in ("BUILD", "UNKNOWN"))
        found = compute.get_server(server.id)
        if found.status != "ACTIVE":
            fault = (found.fault or {}).get("message", "no message")
            raise openstack.exceptions.SDKException(f"the server is {found.status}: {fault}")
        return time.monotonic() - start
    finally:
        compute.delete_server(server.id, ignore_missing=True)
        _wait(lambda: compute.find_server(server.id) is None)


def _wait(is_so: typing.Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"no answer after {PATIENCE} s")
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
