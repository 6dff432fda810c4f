# SPDX-License-Identifier: Apache-2.0
"""Makes a live image another project's: verifies the archive, and signs its manifest anew."""

import dataclasses
import hashlib
import io
import os
import pathlib
import syslog
import tarfile
import typing

from fpga_nova.container_image import indexing
from fpga_nova.container_image.limits import Refused
from fpga_nova.container_image.reading import NotRead
from novadocker.live import manifest, signatures
from novadocker.live.errors import LiveError, Untrusted
from novadocker.live.settings import Settings

_CHUNK = 1 << 20


def adopt(
    settings: Settings, source: pathlib.Path, target: pathlib.Path, project: str, keys: pathlib.Path
) -> manifest.Manifest:
    """Write the archive of a live image that a project may launch.

    The log of the host has who did so, with which image, and for whom.

    :param source: the archive, as Glance has it
    :param target: the new archive, which must not exist
    :param project: its id
    :param keys: the folder of the public keys that may have signed the image
    :returns: what is signed now
    :raises Untrusted: none of them has signed it, or it was changed
    :raises LiveError: it was not read to its end, or cannot be written
    """
    with source.open("rb") as archive:
        places = _index(archive)
        old = _verified(archive, places, keys)
        new = dataclasses.replace(old, project=project)
        data = new.dump()
        signatures.check_own(settings.signing_key, settings.trusted_keys)
        signature = signatures.sign(data, settings.signing_key)
        try:
            with target.open("xb") as file:
                _write(archive, places, file, data, signature)
        except FileExistsError as e:
            raise LiveError(f"{target} exists") from e
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    _log(old, new, signature)
    return new


def _index(archive: typing.BinaryIO) -> dict[str, indexing.Place]:
    """Where the files are, as a confined process finds them."""
    try:
        places = indexing.index(archive, manifest.MOST_FILES)
    except Refused as e:
        raise Untrusted(str(e)) from e
    except NotRead as e:
        raise LiveError(str(e)) from e
    for name in (manifest.MANIFEST, manifest.SIGNATURE, manifest.IMAGE):
        if name not in places:
            raise Untrusted(f"it lacks the file {name}")
    return places


def _verified(
    archive: typing.BinaryIO, places: dict[str, indexing.Place], keys: pathlib.Path
) -> manifest.Manifest:
    """What a key has signed, if all files are those."""
    for name, most in ((manifest.MANIFEST, manifest.MOST), (manifest.SIGNATURE, signatures.MOST)):
        if places[name].size > most:
            raise Untrusted(f"its {name} is too large")
    data, signature = (
        b"".join(_parts(archive, places[name])) for name in (manifest.MANIFEST, manifest.SIGNATURE)
    )
    signatures.verify(data, signature, keys)
    found = manifest.load(data)
    signed = {f"{manifest.CRIU}/{file.name}": file.sha256 for file in found.files}
    signed[manifest.IMAGE] = found.image
    if places.keys() != signed.keys() | {manifest.MANIFEST, manifest.SIGNATURE}:
        raise Untrusted("it does not have the files that were signed")
    for name, expected in signed.items():
        digest = hashlib.sha256()
        for part in _parts(archive, places[name]):
            digest.update(part)
        if digest.hexdigest() != expected:
            raise Untrusted(f"{name} is not the file that was signed")
    return found


def _write(
    archive: typing.BinaryIO,
    places: dict[str, indexing.Place],
    target: typing.BinaryIO,
    data: bytes,
    signature: bytes,
) -> None:
    changed = {manifest.MANIFEST: data, manifest.SIGNATURE: signature}
    with tarfile.open(fileobj=target, mode="w") as new:
        for name, content in changed.items():
            new.addfile(_entry(name, len(content)), io.BytesIO(content))
        for name in sorted(places.keys() - changed.keys()):
            # Verified a moment ago; whoever changes the archive meanwhile makes an image that is
            # refused when it is launched.
            archive.seek(places[name].start)
            new.addfile(_entry(name, places[name].size), archive)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry


def _parts(archive: typing.BinaryIO, place: indexing.Place) -> typing.Iterator[bytes]:
    """The bytes of a file, of which more may be missing than the index knew."""
    archive.seek(place.start)
    remainder = place.size
    while remainder:
        part = archive.read(min(_CHUNK, remainder))
        if not part:
            raise Untrusted("it is cut short")
        remainder -= len(part)
        yield part


def _log(old: manifest.Manifest, new: manifest.Manifest, signature: bytes) -> None:
    key = signatures.key_of(signature)
    person = os.environ.get("SUDO_USER") or f"uid {os.getuid()}"
    digest = hashlib.sha256(new.dump()).hexdigest()
    syslog.openlog("fpga-live", facility=syslog.LOG_AUTHPRIV)
    syslog.syslog(
        syslog.LOG_NOTICE,
        f"{person} had a live image of server {old.instance} of project {old.project} signed for "
        f"project {new.project} with key {key}: manifest {digest}",
    )
