# SPDX-License-Identifier: Apache-2.0
"""Bitstream packages for the emulator, good and broken."""

import io
import json
import pathlib
import typing
import zipfile

from fpga_regions.opencl import PERMISSION, SOURCE
from fpga_regions.package import writer


def fields(core: str = "lzo1x_compress", **changes: typing.Any) -> dict[str, typing.Any]:
    """What a manifest says besides version and digests."""
    defaults = {
        "name": core,
        "version": "1.0",
        "vendor": "fpga-nova",
        "function": core,
        "target": {"board": "emulator", "part": "software"},
        "bitfile": "core.json",
        "exposes": [{"kind": "socket", "name": "/dev/fpga0"}],
    }
    return defaults | changes


def bitfile(core: str = "lzo1x_compress", part: str = "software") -> bytes:
    """The bitfile of one of the emulator's cores."""
    return json.dumps({"part": part, "core": core}).encode()


def package(
    core: str = "lzo1x_compress", content: bytes | None = None, **changes: typing.Any
) -> bytes:
    """A valid package; `content` for another bitfile than the core's own."""
    content = bitfile(core) if content is None else content
    return writer.write(writer.describe(fields(core, **changes), content), content)


def opencl_package(content: bytes = PERMISSION, part: str = SOURCE, **changes: typing.Any) -> bytes:
    """A package for a region of OpenCL; without changes, one that permits it to compile."""
    fields: dict[str, typing.Any] = {
        "target": {"board": "opencl", "part": part},
        "exposes": [{"kind": "socket", "name": "/dev/opencl0"}],
    }
    return package("opencl-c", content, **(fields | changes))


CORES = pathlib.Path(__file__).parents[2] / "cores"


def bitstream(core: str, part: str) -> bytes:
    """A bitstream as icepack wrote it, of one of the cores that ship."""
    return (CORES / f"{core}-{part}.bin").read_bytes()


def real_package(core: str, part: str, content: bytes | None = None) -> bytes:
    """A package with the bitstream of a core, or with another one."""
    content = bitstream(core, part) if content is None else content
    return package(core, content, target={"board": "emulator", "part": part}, bitfile=f"{core}.bin")


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip of any files; the same ones at any time, as the processes of a run must agree."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package_file:
        for name, content in entries:
            if isinstance(name, str):
                name = zipfile.ZipInfo(name)  # a name alone would be dated now
                name.compress_type = zipfile.ZIP_DEFLATED
            package_file.writestr(name, content)
    return file.getvalue()


def without_manifest() -> bytes:
    """A zip with a bitfile and nothing that describes it."""
    return archive(("core.json", bitfile()))
