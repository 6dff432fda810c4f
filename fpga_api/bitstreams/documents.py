# SPDX-License-Identifier: Apache-2.0
"""Bitstreams as the API shows them, from what Glance and the engine know."""

import json
import math
import typing

from fpga_api.publication import BITSTREAMS, Publication

_PROPERTIES = ("vendor", "type", "board")


def read_manifest(text: typing.Any) -> dict[str, typing.Any] | None:
    """The manifest in an image's property, which its owner may have changed; None if it is none.

    Python reads numbers that no other reader of JSON takes; with these, it is none.
    """
    try:
        manifest = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (TypeError, ValueError, RecursionError):
        return None
    return manifest if isinstance(manifest, dict) else None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number of JSON")
    return number


def manifests(publication: Publication) -> dict[str, typing.Any]:
    """What the engine read of packages whose images have no manifest, by the digest of the image.

    :raises errors.CacheUnavailable: the cache does not answer
    """
    published = publication.read(BITSTREAMS)
    return published.document["packages"] if published else {}


def describe(
    image: typing.Mapping[str, typing.Any], packages: typing.Mapping[str, typing.Any]
) -> dict[str, typing.Any]:
    """A bitstream, with its manifest.

    :param image: as Glance shows it to the user
    :param packages: of `manifests`
    """
    manifest = read_manifest(image.get("manifest"))
    if manifest is None:
        manifest = (packages.get(image.get("os_hash_value") or "") or {}).get("manifest")
    known = manifest or {}
    target = known.get("target")
    target = target if isinstance(target, dict) else {}
    return {
        "id": image["id"],
        "name": image.get("name"),
        "function": _word(known.get("function")),
        "version": _word(known.get("version")),
        "vendor": _word(image.get("vendor")) or _word(known.get("vendor")),
        "type": _word(image.get("type")) or _word(known.get("type")),
        "board": _word(image.get("board")) or _word(target.get("board")),
        "part": _word(target.get("part")),
        "size": image.get("size"),
        "status": image["status"],
        "visibility": image["visibility"],
        "project_id": image.get("owner"),
        "created_at": image["created_at"],
        "updated_at": image["updated_at"],
        "manifest": manifest,
    }


def _word(value: typing.Any) -> str | None:
    return value if isinstance(value, str) and value else None
