# SPDX-License-Identifier: Apache-2.0
"""The step of the demo for OpenCL: the host's device becomes a region, and a container uses it.

The demo's host has emulated regions at all other times. Its drivers are set back at the end.
"""

import contextlib
import re
import subprocess
import time
import typing
from pathlib import Path

import content
import numpy

if typing.TYPE_CHECKING:
    from scenario import Walk

#: The server, and what it is made of; each is gone at the end.
SERVER, NAME = "ocl1", "opencl-c"
IMAGE = "opencl"

#: Rows of the matrices, and the seed of what is in them.
SIZE, SEED = 256, 18

_CHECKOUT = Path(__file__).resolve().parents[1]


def walk(steps: "Walk") -> None:
    """Boot a server whose kernels run on the host's device, compare a product, and delete it.

    :raises CloudError: a step did not give what it should
    """
    steps.say("\n== OpenCL: the operator makes the host's device a region, and a flavor of it")
    with contextlib.ExitStack() as cleanup:
        _make_contents(steps, cleanup)
        cleanup.enter_context(_opencl(steps))
        steps.status("0/1")
        start = time.monotonic()
        steps.shell("nova", "boot", "--flavor", NAME, "--image", IMAGE, SERVER)
        server = steps.cloud.api.compute.find_server(SERVER, ignore_missing=False)
        cleanup.callback(steps.cloud.delete, server.id)
        server = steps.cloud.wait(server.id, {"ACTIVE", "ERROR"})
        steps.figures[f"boot {SERVER} ({NAME})"] = round(time.monotonic() - start, 2)
        fault = steps.cloud.fault(server.id)
        steps.expect(f"{SERVER} is", (server.status, fault), ("ACTIVE", ""))
        steps.status("1/1")
        container = ("docker", "exec", "-i", f"nova-{server.id}")
        steps.say("  its image has neither driver nor loader; its programs are unmodified")
        listed = steps.shell(*container, "clinfo", "-l")
        steps.expect("clinfo lists a device", "Device #0: " in listed, True)
        _multiply(steps, container)
    steps.status("0/2")


def _multiply(steps: "Walk", container: tuple[str, ...]) -> None:
    """Multiply matrices in the container, and compare with the product of numpy."""
    # Sums of so few products of small numbers are exact in a float.
    numbers = numpy.random.default_rng(SEED).integers(-9, 10, (2, SIZE, SIZE))
    matrices = numbers.astype("<f4")
    words = (*container, "opencl-matmul", str(SIZE))
    steps.say(f"$ {' '.join(words)} < matrices > product     # two of numpy, at random")
    start = time.monotonic()
    answer = steps.cloud.run(*words, data=matrices.tobytes()).stdout
    steps.figures[f"multiply {SIZE} x {SIZE} on {SERVER}"] = round(time.monotonic() - start, 2)
    product = numpy.frombuffer(answer, "<f4")
    expected = (matrices[0] @ matrices[1]).ravel()
    steps.say(f"  the product begins with {product[:4]}")
    steps.say(f"  numpy {numpy.__version__} says     {expected[:4]}")
    steps.expect("the product is numpy's", numpy.array_equal(product, expected), True)


def _make_contents(steps: "Walk", cleanup: contextlib.ExitStack) -> None:
    """The image, the package, the flavor, and what the container has of its host."""
    folder = steps.cloud.folder
    python = str(folder / "venv" / "regions" / "bin" / "python")
    files, images = folder / "opencl", folder / "opencl-images"
    images.mkdir(exist_ok=True)
    _do("make", "-C", str(_CHECKOUT / "fpga_opencl/icd"), f"OUT={files}", "container")
    script = _CHECKOUT / "build_scripts/images/build_opencl_image.py"
    _do(python, str(script), "--output", str(images / "opencl.tar"))
    (images / "source.txt").write_text("OpenCL C\n")
    package = images / f"{NAME}.zip"
    steps.shell(
        *("fpga-cli.py", "image", "build", "--bitfile", str(images / "source.txt")),
        *("--output", str(package), "--name", NAME, "--version", "1.0", "--vendor", "fpga-nova"),
        *("--type", "opencl", "--function", NAME, "--board", "opencl", "--part", "source"),
        *("--node", "socket:/dev/opencl0"),
        cloud=steps.admin,
    )
    api = steps.admin.api
    image = content.image(api.image, IMAGE, images / "opencl.tar", "docker")
    cleanup.callback(api.image.delete_image, image)
    bitstream = content.bitstream(api.image, package)
    cleanup.callback(api.image.delete_image, bitstream)
    content.flavor(api.compute, NAME, {"hw:fpga_ip_id": bitstream})
    flavor = api.compute.find_flavor(NAME, ignore_missing=False)
    cleanup.callback(api.compute.delete_flavor, flavor)


def _do(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def _opencl(steps: "Walk") -> typing.Iterator[None]:
    """Have the host's region be its device of OpenCL, for as long as the block lasts."""
    file = steps.admin.folder / "etc" / "fpga" / "fpga-cli.conf"
    before = file.read_text()
    drivers = re.sub(r"^drivers = .*$", "drivers = opencl", before, flags=re.MULTILINE)
    steps.say("$ $EDITOR fpga-cli.conf     # drivers = opencl")
    try:
        _configure(steps, file, f"{drivers}\n[opencl]\nregions = 1\nparts = source\n", "OPENCL")
        yield
    finally:
        _configure(steps, file, before, "EMULATOR")


def _configure(steps: "Walk", file: Path, text: str, board: str) -> None:
    """Have fpga-cli and nova-compute run with a configuration, until Placement has its regions."""
    file.write_text(text)
    for service in ("nova-compute", "fpga-regions"):
        steps.admin.stop(service)
    for service in ("fpga-regions", "nova-compute"):
        steps.admin.start(service)
    trait = f"CUSTOM_FPGA_BOARD_{board}"
    query = f"/allocation_candidates?resources=CUSTOM_FPGA_REGION:1&required={trait}"
    steps.wait_for_placement("it has the regions", query, "1.29", "allocation_requests")
