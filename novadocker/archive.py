# SPDX-License-Identifier: Apache-2.0
"""Reads what ``docker save`` wrote, and writes it anew with nothing but the one image in it.

An archive says under which names its image is to be known. An engine that loads it takes these
names away from the images that had them, whoever they belong to. The archive that is written here
has no names, no second image, and no file that the image does not consist of.

Format: https://github.com/moby/docker-image-spec (``manifest.json``, one configuration, layers).
"""

import hashlib
import io
import json
import tarfile
import typing

#: Bytes that manifest.json and the configuration may have; those of big images have some 10 kB.
_MAX_JSON = 4 << 20
#: overlay2 mounts no more layers than this.
_MAX_LAYERS = 128

_MANIFEST = "manifest.json"


class BadArchive(Exception):
    """It is not an archive of exactly one image."""


def rewrite(source: typing.BinaryIO, target: typing.BinaryIO) -> str:
    """Copy the image of an archive to a nameless archive.

    :param source: the archive, at its beginning, seekable
    :param target: where the copy goes
    :returns: the id that an engine gives the image, ``sha256:…``
    :raises BadArchive: it is not an archive of exactly one image
    """
    try:
        with (
            tarfile.open(fileobj=source, mode="r:") as archive,
            tarfile.open(fileobj=target, mode="w") as copy,
        ):
            return _rewrite(archive, copy)
    except tarfile.ReadError as e:
        raise BadArchive(
            "it is not a tar archive as 'docker save' writes it, or it is compressed"
        ) from e
    except (tarfile.TarError, RecursionError, KeyError, ValueError) as e:
        raise BadArchive(f"it cannot be read ({e})") from e


def _rewrite(archive: tarfile.TarFile, copy: tarfile.TarFile) -> str:
    entry = _only_entry(archive)
    config = _read(archive, entry["Config"])
    digest = hashlib.sha256(config).hexdigest()
    _add(copy, f"{digest}.json", io.BytesIO(config), len(config))
    written: dict[str, str] = {}
    for layer in entry["Layers"]:
        if layer in written:
            continue
        written[layer] = f"layer-{len(written)}.tar"
        with _open(archive, layer) as content:
            size = content.seek(0, io.SEEK_END)
            content.seek(0)
            _add(copy, written[layer], content, size)
    layers = [written[layer] for layer in entry["Layers"]]
    manifest = [{"Config": f"{digest}.json", "RepoTags": None, "Layers": layers}]
    text = json.dumps(manifest).encode()
    _add(copy, _MANIFEST, io.BytesIO(text), len(text))
    return f"sha256:{digest}"


def _only_entry(archive: tarfile.TarFile) -> dict[str, typing.Any]:
    try:
        manifest = json.loads(_read(archive, _MANIFEST))
    except KeyError as e:
        raise BadArchive(f"it has no {_MANIFEST}; make it with 'docker save'") from e
    if not isinstance(manifest, list) or not all(isinstance(entry, dict) for entry in manifest):
        raise BadArchive(f"its {_MANIFEST} is not a list of images")
    if len(manifest) != 1:
        raise BadArchive(f"it holds {len(manifest)} images, and must hold exactly one")
    entry = manifest[0]
    layers = entry.get("Layers")
    if (
        not isinstance(entry.get("Config"), str)
        or not isinstance(layers, list)
        or not all(isinstance(layer, str) for layer in layers)
        or len(layers) > _MAX_LAYERS
    ):
        raise BadArchive(f"its {_MANIFEST} does not name a configuration and at most 128 layers")
    return typing.cast(dict[str, typing.Any], entry)


def _open(archive: tarfile.TarFile, name: str) -> typing.IO[bytes]:
    # Old archives hold a layer that occurs twice as a link; extractfile follows it inside.
    content = archive.extractfile(name)
    if content is None:
        raise BadArchive(f"'{name}' in it is not a file")
    return content


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    with _open(archive, name) as content:
        data = content.read(_MAX_JSON + 1)
    if len(data) > _MAX_JSON:
        raise BadArchive(f"'{name}' in it is larger than {_MAX_JSON} bytes")
    return data


def _add(copy: tarfile.TarFile, name: str, content: typing.IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    copy.addfile(member, content)
