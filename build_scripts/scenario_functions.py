# SPDX-License-Identifier: Apache-2.0
"""The step of the demo for functions: a user brings a bitstream, and asks for what it does.

The walk is that of the first users of accelerators in OpenStack: an upload with tag and type, the
names in Placement, a flavor with class and trait, a boot.
"""

import contextlib
import time
import typing
import zlib
from pathlib import Path

if typing.TYPE_CHECKING:
    from scenario import Walk

#: The server, the flavor, and the bitstream with its type; each is gone at the end.
SERVER, FLAVOR, CORE, TYPE = "dcr1", "fpga-checksum", "crc32", "checksum"
CLASS, TRAIT = "CUSTOM_FPGA_REGION", "CUSTOM_ACCELERATOR_CHECKSUM"

_CORES = Path(__file__).resolve().parents[1] / "cores"
_PLACEMENT = ("openstack", "--os-placement-api-version", "1.6")
_INPUT = b"123456789"
_VALUE = ("-f", "value", "-c", "properties")


@contextlib.contextmanager
def uploaded(steps: "Walk") -> typing.Iterator[None]:
    """Have the user's bitstream in Glance for as long as the block lasts.

    The trait comes with an audit of the host, once a minute or when nova-compute starts.

    :raises CloudError: a step did not give what it should
    """
    steps.say("\n== The user uploads a bitstream, which makes checksums")
    package = str(steps.cloud.folder / "images" / f"{CORE}.zip")
    steps.shell(
        *("fpga-cli.py", "image", "build", "--bitfile", str(_CORES / f"{CORE}-hx8k.bin")),
        *("--output", package, "--name", CORE, "--version", "1.0", "--vendor", "lattice"),
        *("--function", CORE, "--board", "emulator", "--part", "hx8k"),
        *("--node", "socket:/dev/fpga0"),
    )
    words = ("fpga", "bitstream", "create", package, "-f", "value", "-c", "ID")
    image = steps.shell("openstack", *words)
    try:
        of_type = ("--property", "vendor=lattice", "--property", f"type={TYPE}")
        steps.shell("openstack", "image", "set", "--tag", "FPGA", *of_type, image)
        yield
    finally:
        steps.cloud.api.image.delete_image(image)


def walk(steps: "Walk") -> None:
    """List what Placement has, ask for the function, boot, use it, and delete all.

    :raises CloudError: a step did not give what it should
    """
    steps.say("\n== The user lists the classes and traits, and makes a flavor of them")
    query = f"/traits?name=in:{TRAIT}&associated=true"
    steps.wait_for_placement("a host has the trait", query, "1.6", "traits")
    classes = steps.cloud.run(*_PLACEMENT, "resource", "class", "list", "-f", "value")
    steps.say(f"$ {' '.join(_PLACEMENT)} resource class list -f value | grep FPGA_")
    names = [name for name in classes.stdout.decode().split() if "FPGA_" in name]
    steps.say("\n".join(names))
    steps.expect("the class of regions is listed", CLASS in names, True)
    of_functions = ("--name", "startswith:CUSTOM_ACCELERATOR_")
    traits = steps.shell(*_PLACEMENT, "trait", "list", *of_functions, "-f", "value").split()
    steps.expect("the trait of the function is listed", TRAIT in traits, True)
    compute = steps.admin.api.compute
    with contextlib.ExitStack() as cleanup:
        _delete_flavor(compute)
        cleanup.callback(_delete_flavor, compute)
        wanted = (f"resources:{CLASS}=1", f"trait:{TRAIT}=required")
        properties = [word for one in wanted for word in ("--property", one)]
        size = ("--ram", "256", "--disk", "1")
        words = ("flavor", "create", FLAVOR, *size, *properties, *_VALUE)
        flavor = steps.shell("openstack", *words)
        steps.expect("the flavor asks for the function", TRAIT in flavor, True)
        server = steps.boot(SERVER, FLAVOR)
        cleanup.callback(steps.cloud.delete, server.id)
        steps.status("1/2")
        _use(steps, server.id)
    steps.status("0/2")


def _use(steps: "Walk", server: str) -> None:
    """Have the region of a server compute, and compare with what Python computes."""
    client = ("docker", "exec", "-i", f"nova-{server}", "fpga-client", "/dev/fpga0")
    steps.say(f"$ printf {_INPUT.decode()} | {' '.join(client)} | od -An -tx1")
    start = time.monotonic()
    answer = steps.cloud.run(*client, data=_INPUT).stdout
    steps.figures[f"{CORE} on {SERVER}"] = round(time.monotonic() - start, 2)
    steps.say(f" {answer.hex(' ')}")
    same = answer == zlib.crc32(_INPUT).to_bytes(4, "big")
    steps.expect("the answer is the one that Python computes", same, True)


def _delete_flavor(compute: typing.Any) -> None:
    found = compute.find_flavor(FLAVOR, ignore_missing=True)
    if found is not None:
        compute.delete_flavor(found)
