# SPDX-License-Identifier: Apache-2.0
"""Finds the images of an archive and the one that this host runs."""

import dataclasses
import platform
import typing

from fpga_nova.container_image import archive, configuration
from fpga_nova.container_image.limits import Refused

_MANIFEST, _INDEX = "manifest.json", "index.json"
#: The engine's own limit (moby, layer/layer_store.go: maxLayerDepth).
MAX_LAYERS = 125
_MAX_IMAGES = 100
_MAX_DEPTH = 3
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_GO_NAMES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i686": "386",
    "armv7l": "arm",
    "armv6l": "arm",
    "loongarch64": "loong64",
}
#: What else a processor runs, as containerd has it.
_ALSO = {"amd64": ["386"], "arm64": ["arm"]}

_Json = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True)
class Image:
    """An image that an archive names; its layers are not looked at yet.

    :param config: the bytes of its configuration, written anew
    :param architecture: by Go's name; empty if the configuration has none
    :param layers: names of files in the archive, lowest first
    :param diffs: the layers' digests, unpacked
    """

    config: bytes
    architecture: str
    layers: tuple[str, ...]
    diffs: tuple[str, ...]


def host_architecture() -> str:
    """What this host runs, by Go's name."""
    machine = platform.machine()
    return _GO_NAMES.get(machine, machine)


def choose(source: archive.Archive, architecture: str) -> Image:
    """The one image of the archive that an architecture runs.

    :raises Refused: there is none, or more than one
    """
    images = _images(source)
    for candidate in (architecture, *_ALSO.get(architecture, [])):
        found = [image for image in images if image.architecture in (candidate, "")]
        if len(found) > 1:
            raise Refused(f"it holds {len(found)} images for {candidate}, and must hold one")
        if found:
            return found[0]
    others = ", ".join(sorted({image.architecture for image in images}))
    raise Refused(
        f"it is for {others}, and this host is {architecture}; give the image the property "
        "hw_architecture so that it goes to a host that runs it"
    )


def _images(source: archive.Archive) -> list[Image]:
    """All images of Linux; what both kinds of list name is one image."""
    found: dict[bytes, Image] = {}
    if _MANIFEST in source:
        for config, layers in _of_docker(source):
            _note(found, source.json(config), layers)
    # Docker 25 and later write both, and engines differ in which they read.
    if _INDEX in source:
        for descriptor in _descriptors(source, source.json(_INDEX)[0], 0, set()):
            _of_oci(source, descriptor, found)
    if not found:
        lists = _MANIFEST in source or _INDEX in source
        raise Refused(
            "it holds no image of Linux"
            if lists
            else f"it has neither {_MANIFEST} nor {_INDEX}; make it with 'docker save'"
        )
    if len(found) > _MAX_IMAGES:
        raise Refused(f"it holds more than {_MAX_IMAGES} images")
    return list(found.values())


def _of_docker(source: archive.Archive) -> typing.Iterator[tuple[str, list[str]]]:
    entries = source.json(_MANIFEST)[0]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Refused(f"its {_MANIFEST} is not a list of images")
    if len(entries) > _MAX_IMAGES:
        raise Refused(f"it holds {len(entries)} images, and must hold one")
    for entry in entries:
        config, layers = entry.get("Config"), entry.get("Layers")
        if not isinstance(config, str) or not _strings(layers or []):
            raise Refused(f"its {_MANIFEST} does not name a configuration and layers")
        yield config, layers or []


def _descriptors(
    source: archive.Archive, index: typing.Any, depth: int, known: set[str]
) -> typing.Iterator[_Json]:
    """The manifests that an index names, and those that are named by an index in it.

    :param known: names of those that came already; each comes once
    """
    entries = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(entries, list) or len(entries) > _MAX_IMAGES or depth > _MAX_DEPTH:
        raise Refused(f"its {_INDEX} is not a list of at most {_MAX_IMAGES} images")
    for descriptor in entries:
        if not isinstance(descriptor, dict):
            raise Refused(f"its {_INDEX} names something that is not an image")
        name = archive.blob(descriptor.get("digest"))
        # Of an image for many architectures, those are there that were saved.
        if name in known or name not in source:
            continue
        known.add(name)
        if descriptor.get("mediaType") in _INDEXES:
            inner = source.json(name, descriptor["digest"])[0]
            yield from _descriptors(source, inner, depth + 1, known)
        else:
            yield descriptor


def _of_oci(source: archive.Archive, descriptor: _Json, found: dict[bytes, Image]) -> None:
    manifest = source.json(archive.blob(descriptor["digest"]), descriptor["digest"])[0]
    config = manifest.get("config") if isinstance(manifest, dict) else None
    layers = manifest.get("layers") if isinstance(manifest, dict) else None
    if not isinstance(config, dict) or not isinstance(layers, list):
        raise Refused("a manifest in it names no configuration and layers")
    target = descriptor.get("platform")
    attests = isinstance(target, dict) and target.get("os") == "unknown"
    if attests or config.get("mediaType") not in _CONFIGS:
        return  # signatures, attestations and the like
    if not all(isinstance(layer, dict) for layer in layers):
        raise Refused("a manifest in it names no configuration and layers")
    names = [archive.blob(layer.get("digest")) for layer in layers]
    digest = config.get("digest")
    _note(found, source.json(archive.blob(digest), digest), names)


def _note(found: dict[bytes, Image], config: tuple[typing.Any, bytes], layers: list[str]) -> None:
    document, text = config
    root = document.get("rootfs") if isinstance(document, dict) else None
    diffs = (root.get("diff_ids") or []) if isinstance(root, dict) else None
    if not isinstance(document, dict) or not _strings(diffs):
        raise Refused("the configuration of an image in it has no list of layers")
    for diff in diffs:
        archive.blob(diff)
    if len(diffs) != len(layers) or len(layers) > MAX_LAYERS:
        raise Refused(
            f"it has {len(layers)} layers, its configuration {len(diffs)}, and {MAX_LAYERS} "
            "are the most"
        )
    if document.get("os") in ("linux", "", None):
        architecture = document.get("architecture") or ""
        if not isinstance(architecture, str) or not architecture.isprintable():
            raise Refused("the configuration of an image in it has no proper architecture")
        clean = configuration.clean(document, architecture, diffs)
        found.setdefault(text, Image(clean, architecture[:20], tuple(layers), tuple(diffs)))


def _strings(value: typing.Any) -> typing.TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
