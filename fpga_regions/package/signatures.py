# SPDX-License-Identifier: Apache-2.0
"""Signatures: of a package's manifest (Ed25519), and those that Glance images carry.

The package's own is detached, the 64 bytes of RFC 8032 over the bytes of manifest.json, so that
`openssl pkeyutl -sign -rawin` makes it and any HSM that speaks Ed25519 can. The manifest has the
bitfile's digest, and so the bitfile is signed with it.

An image's is what Nova and Glance check (properties `img_signature*`). They fetch the certificate
from a key manager by the uuid in the properties; here it is one of those that the operator named,
in files or in a key manager (key_manager.py), and the uuid is not looked at: who uploads an image
could name a certificate of their own. Asking a key manager takes 30 packages more, and a service
more that every burn needs, so it is an extra. cursive is not used: it reads the key manager's
options from the process-wide configuration only, and tells no missing certificate from a key
manager that is out of reach.
"""

import base64
import binascii
import datetime
import typing
from pathlib import Path

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from fpga_regions import errors
from fpga_regions.system import files

#: Properties of a signed image, and what each of them is.
IMAGE_SIGNATURE = "img_signature"
IMAGE_HASH = "img_signature_hash_method"
IMAGE_KEY_TYPE = "img_signature_key_type"

_CHUNK = 1024 * 1024
_MAX_PEM = 1024 * 1024  # many certificates may be in one file
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA-224": hashes.SHA224(),
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}


class Unusable(Exception):
    """A key or certificate cannot be used; the text says why."""


def sign(manifest_text: bytes, key: Path) -> bytes:
    """The detached signature of a manifest's text.

    :param key: PEM file of an Ed25519 private key that has no password
    :raises Unusable: it is none
    """
    try:
        loaded = serialization.load_pem_private_key(_content(key), password=None)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as e:
        raise Unusable(f"{key} is not a PEM file of a private key without a password") from e
    if not isinstance(loaded, ed25519.Ed25519PrivateKey):
        raise Unusable(f"{key} is not an Ed25519 key")
    return loaded.sign(manifest_text)


def public_keys(paths: typing.Iterable[str]) -> list[ed25519.Ed25519PublicKey]:
    """The keys in PEM files, one in each.

    :raises Unusable: one of them is no Ed25519 public key
    """
    return [_public_key(Path(path)) for path in paths]


def certificates(paths: typing.Iterable[str]) -> list[x509.Certificate]:
    """The certificates in PEM files, one or more in each.

    :raises Unusable: a file has none
    """
    return [certificate for path in paths for certificate in _certificates(Path(path))]


def check_package(
    manifest_text: bytes, signature: bytes | None, keys: typing.Sequence[ed25519.Ed25519PublicKey]
) -> None:
    """See that one of the keys signed a manifest's text.

    :raises errors.BadPackage: none did
    """
    if signature is None:
        raise errors.BadPackage("it is not signed")
    if not any(_verified(key, signature, manifest_text) for key in keys):
        raise errors.BadPackage(
            f"none of the {len(keys)} keys in package_keys verifies the signature of its manifest"
        )


def check_image(
    file: typing.BinaryIO,
    record: typing.Mapping[str, typing.Any],
    trusted: typing.Sequence[x509.Certificate],
) -> None:
    """See that the key of one of the certificates signed an image's data.

    :param file: the data; read from its start
    :param record: what Glance says of the image
    :raises errors.BadPackage: none did, or none that is valid today
    """
    if not record.get(IMAGE_SIGNATURE):
        raise errors.BadPackage("its image is not signed in Glance")
    signature = _decoded(record)
    method = _HASHES.get(str(record.get(IMAGE_HASH)))
    if method is None:
        raise errors.BadPackage(
            f"its {IMAGE_HASH} is {record.get(IMAGE_HASH)}, not one of {', '.join(_HASHES)}"
        )
    kind = str(record.get(IMAGE_KEY_TYPE))
    fitting = [one for one in trusted if _key_type(one) == kind]
    if not fitting:
        raise errors.BadPackage(f"no certificate in image_certificates has a key of type {kind}")
    digest = _digest(file, method)
    signers = [one for one in fitting if _signed(one, signature, digest, method)]
    if not signers:
        raise errors.BadPackage("its image's signature is of no certificate in image_certificates")
    if not any(_valid_today(one) for one in signers):
        raise errors.BadPackage("the certificate of its image's signature is not valid today")


def _content(file: Path) -> bytes:
    try:
        return files.content(file, _MAX_PEM, "the size of a PEM file")
    except errors.BadPackage as e:
        raise Unusable(e.why) from e


def _public_key(file: Path) -> ed25519.Ed25519PublicKey:
    try:
        loaded = serialization.load_pem_public_key(_content(file))
    except (ValueError, exceptions.UnsupportedAlgorithm) as e:
        raise Unusable(f"{file} is not a PEM file of a public key") from e
    if not isinstance(loaded, ed25519.Ed25519PublicKey):
        raise Unusable(f"{file} is not an Ed25519 key")
    return loaded


def _certificates(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(file))
    except ValueError as e:
        raise Unusable(f"{file} is not a PEM file of certificates") from e


def _verified(key: ed25519.Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data)
    except exceptions.InvalidSignature:
        return False
    return True


def _decoded(record: typing.Mapping[str, typing.Any]) -> bytes:
    try:
        return base64.b64decode(str(record[IMAGE_SIGNATURE]), validate=True)
    except (binascii.Error, ValueError) as e:
        raise errors.BadPackage(f"its {IMAGE_SIGNATURE} is not base64") from e


def _digest(file: typing.BinaryIO, method: hashes.HashAlgorithm) -> bytes:
    found = hashes.Hash(method)
    file.seek(0)
    while part := file.read(_CHUNK):
        found.update(part)
    return found.finalize()


def _key_type(certificate: x509.Certificate) -> str | None:
    """What img_signature_key_type says where the certificate's key signed."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA-PSS"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECC_{key.curve.name.upper()}"
    return None


def _signed(
    certificate: x509.Certificate, signature: bytes, digest: bytes, method: hashes.HashAlgorithm
) -> bool:
    key = certificate.public_key()
    prehashed = utils.Prehashed(method)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            # The salt is as long as it can be: so does openstacksdk sign, and Nova check.
            pss = padding.PSS(padding.MGF1(method), padding.PSS.MAX_LENGTH)
            key.verify(signature, digest, pss, prehashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(prehashed))
        else:
            return False
    except (exceptions.InvalidSignature, ValueError):
        return False
    return True


def _valid_today(certificate: x509.Certificate) -> bool:
    now = datetime.datetime.now(datetime.UTC)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
