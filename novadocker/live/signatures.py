# SPDX-License-Identifier: Apache-2.0
"""Signatures of live images: Ed25519, one private key a host, and the public keys of all hosts."""

import base64
import binascii
import hashlib
import json
import pathlib
import stat
import typing

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from fpga_nova import durable
from novadocker.live.errors import LiveError, Untrusted

#: What is signed begins with it, so that a signature of something else is good for nothing here.
_PURPOSE = b"fpga-nova live image\0"
_DIGITS = 16
#: Bytes of a signature's file at most.
MOST = 4096


def create(signing_key: pathlib.Path, trusted: pathlib.Path) -> str:
    """Make the private key of a host, and trust its public key.

    The public key of a former private key stays, so that its images stay good.

    :returns: the name of the public key
    """
    key = Ed25519PrivateKey.generate()
    for folder in (signing_key.parent, trusted):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    name = name_of(key.public_key())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    durable.write(trusted / f"{name}.pem", public, 0o644)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    durable.write(signing_key, private, 0o600)
    return name


def sign(data: bytes, signing_key: pathlib.Path) -> bytes:
    """The file with the signature of a manifest.

    :raises LiveError: there is no private key of root's
    """
    _check_owner(signing_key, 0o077)
    try:
        key = serialization.load_pem_private_key(signing_key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise LiveError(f"{signing_key} cannot be read: {e}") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise LiveError(f"{signing_key} is not an Ed25519 key")
    signature = base64.b64encode(key.sign(_PURPOSE + data)).decode()
    return json.dumps({"key": name_of(key.public_key()), "signature": signature}).encode()


def verify(data: bytes, signature: bytes, trusted: pathlib.Path) -> None:
    """See that a trusted key has signed a manifest.

    :param signature: the file with the signature
    :raises Untrusted: no trusted key has
    """
    name, value = _read(signature)
    keys = public_keys(trusted)
    if name not in keys:
        raise Untrusted(f"its signature is of key {name}, which this host does not trust")
    try:
        keys[name].verify(value, _PURPOSE + data)
    except InvalidSignature as e:
        raise Untrusted(f"its signature of key {name} is wrong: it was changed") from e


def key_of(signature: bytes) -> str:
    """The name of the key that a signature says it is of.

    :param signature: the file with the signature
    :raises Untrusted: it cannot be read
    """
    return _read(signature)[0]


def public_keys(trusted: pathlib.Path) -> dict[str, Ed25519PublicKey]:
    """The keys that a host trusts, by their names.

    :raises LiveError: others than root can change them, or one cannot be read
    """
    found = {}
    _check_owner(trusted, 0o022)
    for path in sorted(trusted.glob("*.pem")):
        _check_owner(path, 0o022)
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm) as e:
            raise LiveError(f"{path} cannot be read: {e}") from e
        if not isinstance(key, Ed25519PublicKey):
            raise LiveError(f"{path} is not an Ed25519 key")
        found[name_of(key)] = key
    return found


def name_of(key: Ed25519PublicKey) -> str:
    """The name of a public key: the first digits of its digest."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:_DIGITS]


def _read(signature: bytes) -> tuple[str, bytes]:
    """The name of the key, and the signature."""
    try:
        table: typing.Any = json.loads(signature)
        name, value = str(table["key"]), base64.b64decode(table["signature"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error) as e:
        raise Untrusted(f"its signature cannot be read: {e!r}") from e
    return name[:_DIGITS], value


def _check_owner(path: pathlib.Path, others: int) -> None:
    """See that only root has rights to a file beyond what others may have."""
    try:
        status = path.stat()
    except OSError as e:
        raise LiveError(f"{path}: {e.strerror}") from e
    if status.st_uid != 0 or stat.S_IMODE(status.st_mode) & others:
        raise LiveError(f"{path} must be root's alone: chown root {path}; chmod go-w {path}")
