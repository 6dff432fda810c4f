# SPDX-License-Identifier: Apache-2.0
"""The first boot with a bitstream that was uploaded a moment ago."""

import configparser
import time
import typing
import uuid
from pathlib import Path

import pytest
from cloud import Cloud

from fpga_regions.served.server import Servers
from tests.support import bitstreams

pytestmark = pytest.mark.e2e

#: Seconds after the upload.
_LATER = 30
#: A comment, with which icepack begins a bitstream; the emulator leaves it out.
_COMMENT = b"\xff\x00%b\x00\xff"


@pytest.fixture
def new_image(cloud: Cloud, tmp_path: Path) -> typing.Iterator[str]:
    """A bitstream that nobody has ever seen, as a user uploads it."""
    core = bitstreams.bitstream("packbits", "hx8k")
    empty = _COMMENT % b""
    assert core.startswith(empty)
    content = _COMMENT % uuid.uuid4().hex.encode() + core.removeprefix(empty)
    package = tmp_path / "package.zip"
    package.write_bytes(bitstreams.real_package("packbits", "hx8k", content))
    kind = ("--container-format", "fpga", "--disk-format", "raw", "--visibility", "public")
    name = f"test-{uuid.uuid4().hex[:8]}"
    command = ("glance", "image-create", *kind, "--file", str(package), "--name", name)
    cloud.run(*command, "--tags", "FPGA")
    image = cloud.api.image.find_image(name, ignore_missing=False).id
    yield image
    cloud.api.image.delete_image(image)


def test_first_boot_of_a_new_bitstream_takes_the_compiled_model(
    cloud: Cloud, new_image: str, flavor_for: typing.Callable[[str], str]
) -> None:
    flavor = flavor_for(new_image)
    time.sleep(_LATER)
    server = cloud.boot(f"first-{uuid.uuid4().hex[:8]}", flavor)
    try:
        assert server.status == "ACTIVE", cloud.fault(server.id)
        region = cloud.region_of(server.id)
        assert region is not None
        options = configparser.RawConfigParser()
        options.read(cloud.folder / "etc" / "fpga" / "fpga-cli.conf")
        folders = (Path(options["DEFAULT"][name]) for name in ("runtime_dir", "state_dir"))
        servers = Servers(*folders, "emulator")
        assert servers.load(region["id"]).parameters["engine"] == "verilator"
    finally:
        cloud.delete(server.id)
