# SPDX-License-Identifier: Apache-2.0
"""Has archives read, by a confined process as services have them read, or in this one."""

import io
import json
import pathlib
import tarfile
import tempfile
import typing

import pytest

from fpga_nova.container_image import archive, choice, reading, writing
from fpga_nova.container_image.limits import Budget, Limits

LIMITS = Limits(unpacked=64 << 20, files=1000)

Members = dict[str, bytes]


def read_here(data: bytes, limits: Limits = LIMITS, architecture: str = "amd64") -> Members:
    """What the new archive has, read in this process."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as scratch:
        source.write(data)
        source.flush()
        opened = archive.Archive(source.fileno(), scratch.fileno(), limits.unpacked)
        image = choice.choose(opened, architecture)
        target = io.BytesIO()
        writing.write(image, opened, target, "name:1", Budget(limits))
    return members(target.getvalue())


def members(data: bytes) -> Members:
    """The files of an archive of ours; its manifest must name all of them."""
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        found = {one.name: typing.cast(typing.IO[bytes], opened.extractfile(one)) for one in opened}
        read = {name: file.read() for name, file in found.items()}
    (entry,) = json.loads(read["manifest.json"])
    assert set(read) == {"manifest.json", entry["Config"], *entry["Layers"]}
    return read


def layers(read: Members) -> list[bytes]:
    """The layers of an archive, lowest first."""
    return [read[name] for name in json.loads(read["manifest.json"])[0]["Layers"]]


class Confined:
    """Reads as services do; what it writes is in `target`."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.target = folder / "target.tar"

    def read(
        self,
        data: bytes | pathlib.Path,
        limits: Limits = LIMITS,
        seconds: float = 30,
        architecture: str = "amd64",
        changes: reading.Changes | None = None,
        above: reading.Layer | None = None,
    ) -> list[str]:
        source = self.folder / "source"
        if isinstance(data, bytes):
            source.write_bytes(data)
        else:
            source = data
        self.target.unlink(missing_ok=True)
        request = reading.Request(limits, "fpga-nova/a:1", seconds, architecture, changes, above)
        with source.open("rb") as file, self.target.open("xb") as target:
            return reading.rewrite(file, target, request)


@pytest.fixture
def confined(tmp_path: pathlib.Path) -> Confined:
    """A reader of archives."""
    return Confined(tmp_path)
