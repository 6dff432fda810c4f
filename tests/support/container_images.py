# SPDX-License-Identifier: Apache-2.0
"""Archives of container images, as tools write them and as no tool does."""

import bz2
import dataclasses
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import typing

import zstandard

PACKERS: dict[str, typing.Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 9),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
_BLOCK = 512


def digest(data: bytes) -> str:
    """As configurations and manifests have it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar(members: typing.Mapping[str, bytes]) -> bytes:
    """A tar archive; content that begins with -> is a symbolic link, with => a hard one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if content[:2] in (b"->", b"=>"):
                member.type = tarfile.SYMTYPE if content.startswith(b"->") else tarfile.LNKTYPE
                member.linkname = content[2:].decode()
                opened.addfile(member)
                continue
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def header(name: str, size: bytes, kind: bytes = b"0", magic: bytes = b"ustar  \0") -> bytes:
    """The header of an entry, with any size."""
    block = bytearray(_BLOCK)
    block[: len(name)] = name.encode()
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124:136], block[136:148], block[156:157] = size, b"00000000000\0", kind
    block[257:265] = magic
    return summed(block)


def summed(block: bytearray) -> bytes:
    """A header with its checksum."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def octal(size: int) -> bytes:
    """A size as most programs write it."""
    return b"%011o\0" % size


def binary(size: int) -> bytes:
    """A size in base 256, which can be negative."""
    return (0x80 if size >= 0 else 0xFF).to_bytes(1, "big") + (size % (1 << 88)).to_bytes(11, "big")


def pax(records: typing.Mapping[str, str]) -> bytes:
    """An extended header."""
    text = b""
    for name, value in records.items():
        line = f" {name}={value}\n".encode()
        length = len(line) + 1
        while len(str(length)) + len(line) != length:
            length = len(str(length)) + len(line)
        text += str(length).encode() + line
    return header("x", octal(len(text)), b"x", b"ustar\x0000") + padded(text)


def padded(data: bytes) -> bytes:
    """Data with zeros up to a whole block."""
    return data + bytes(-len(data) % _BLOCK)


@dataclasses.dataclass(frozen=True)
class Image:
    """An image, to be put into archives.

    :param layers: tar archives, lowest first
    :param packer: how the layers are compressed
    """

    layers: tuple[bytes, ...]
    architecture: str = "amd64"
    packer: str = "plain"
    os: str = "linux"
    extra: typing.Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)

    @property
    def config(self) -> bytes:
        """The bytes of its configuration."""
        root = {"type": "layers", "diff_ids": [digest(layer) for layer in self.layers]}
        fields = {"architecture": self.architecture, "os": self.os, "config": {"Cmd": ["/x"]}}
        return json.dumps({**fields, "rootfs": root, **self.extra}).encode()

    @property
    def packed(self) -> list[bytes]:
        """The layers as they lie in an archive."""
        return [PACKERS[self.packer](layer) for layer in self.layers]


def docker_members(*images: Image, tags: typing.Sequence[str] | None = None) -> dict[str, bytes]:
    """What `docker save` wrote before Docker 25."""
    members: dict[str, bytes] = {}
    entries = []
    for image in images:
        config = f"{digest(image.config)[7:]}.json"
        members[config] = image.config
        names = [f"{digest(layer)[7:]}/layer.tar" for layer in image.packed]
        members.update(zip(names, image.packed, strict=True))
        entries.append({"Config": config, "RepoTags": tags, "Layers": names})
    return {**members, "manifest.json": json.dumps(entries).encode()}


def oci_members(*images: Image, nested: bool = False) -> dict[str, bytes]:
    """What OCI tools write: skopeo, podman, buildah, buildx.

    :param nested: with one index of all in the index, and an attestation, as buildx does
    """
    blobs: dict[str, bytes] = {}
    manifests = [_oci_manifest(image, blobs) for image in images]
    if nested:
        proof = {"config": _put(blobs, b"{}", "application/vnd.oci.image.config.v1+json")}
        proven = json.dumps({**proof, "layers": []}).encode()
        kind = "application/vnd.oci.image.manifest.v1+json"
        unknown = {"architecture": "unknown", "os": "unknown"}
        manifests.append({**_put(blobs, proven, kind), "platform": unknown})
        # Of an architecture that was not saved.
        manifests.append({"mediaType": kind, "digest": digest(b"elsewhere"), "size": 9})
        index = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
        manifests = [_put(blobs, index, "application/vnd.oci.image.index.v1+json")]
    top = {"schemaVersion": 2, "manifests": manifests}
    layout = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    return {**layout, "index.json": json.dumps(top).encode(), **blobs}


def _oci_manifest(image: Image, blobs: dict[str, bytes]) -> dict[str, typing.Any]:
    kind = "application/vnd.oci.image.layer.v1.tar"
    manifest = {
        "schemaVersion": 2,
        "config": _put(blobs, image.config, "application/vnd.oci.image.config.v1+json"),
        "layers": [_put(blobs, layer, kind) for layer in image.packed],
    }
    data = json.dumps(manifest).encode()
    descriptor = _put(blobs, data, "application/vnd.oci.image.manifest.v1+json")
    return {**descriptor, "platform": {"architecture": image.architecture, "os": image.os}}


def _put(blobs: dict[str, bytes], data: bytes, kind: str) -> dict[str, typing.Any]:
    blobs[f"blobs/{digest(data).replace(':', '/')}"] = data
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


def zeros(size: int) -> bytes:
    """A layer with a file of zeros, in gzip streams of a MiB each; a thousandth of its size."""
    parts = [header("zeros", octal(size)), bytes(-size % _BLOCK + 2 * _BLOCK)]
    some = gzip.compress(bytes(1 << 20))
    return gzip.compress(parts[0]) + some * (size >> 20) + gzip.compress(parts[1])
