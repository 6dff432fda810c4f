# SPDX-License-Identifier: Apache-2.0
"""Signatures of live images: Ed25519, one private key a host, and the public keys of all hosts."""

import base64
import hashlib
import json
import pathlib
import re
import stat
import typing

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from fpga_nova import durable
from novadocker.live.errors import LiveError, UnknownKey, Untrusted

#: What is signed begins with it, so that a signature of something else is good for nothing here.
_PURPOSE = b"fpga-nova live image\0"
_DIGITS = 16
_NAME = re.compile(f"[0-9a-f]{{{_DIGITS}}}")
#: Bytes of a signature's file at most, and characters of the words about one.
MOST, _WORDS = 4096, 300


def create(signing_key: pathlib.Path, trusted: pathlib.Path) -> str:
    """Make the private key of a host, and trust its public key.

    The public key of a former private key stays, so that its images stay good.

    :returns: the name of the public key
    """
    key = Ed25519PrivateKey.generate()
    if not signing_key.parent.is_dir():  # one that is there may be /root
        signing_key.parent.mkdir(parents=True)
        signing_key.parent.chmod(0o755)
    trusted.mkdir(parents=True, exist_ok=True)
    trusted.chmod(0o755)
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


def check_own(signing_key: pathlib.Path, trusted: pathlib.Path) -> None:
    """See that a host can sign, and trusts what it signs.

    :raises LiveError: it has no key of its own, or does not trust that key
    """
    if not signing_key.exists():
        raise LiveError(f"the host has no key {signing_key} - run 'fpga-live key'")
    signature = sign(b"", signing_key)
    try:
        verify(b"", signature, trusted)
    except Untrusted as e:
        name = key_of(signature)
        raise LiveError(
            f"the host does not trust its own key: {trusted} lacks {name}.pem - put it back, or "
            "run 'fpga-live key --rotate'"
        ) from e


def verify(data: bytes, signature: bytes, trusted: pathlib.Path) -> None:
    """See that a trusted key has signed a manifest.

    :param signature: the file with the signature
    :raises UnknownKey: another key has, as far as it says
    :raises Untrusted: no trusted key has
    """
    name, value = _read(signature)
    keys = public_keys(trusted)
    if name not in keys:
        raise UnknownKey(f"its signature is of key {name}, which this host does not trust")
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
    try:
        paths = sorted(path for path in trusted.iterdir() if path.suffix == ".pem")
    except OSError as e:
        raise LiveError(f"{trusted} cannot be read: {e.strerror}") from e
    for path in paths:
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
    """The name of the key, and the signature.

    These are a stranger's bytes, which nobody has signed.
    """
    if len(signature) > MOST:
        raise Untrusted("its signature is too large")
    try:
        table: typing.Any = json.loads(signature)
        name, value = table["key"], base64.b64decode(table["signature"], validate=True)
        # It is shown to people, and in logs.
        if _NAME.fullmatch(name) is None:
            raise ValueError("the name of its key is no name of a key")
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise Untrusted(f"its signature cannot be read: {e!r}"[:_WORDS]) from e
    return name, value


def _check_owner(path: pathlib.Path, others: int) -> None:
    """See that only root has rights to a file beyond what others may have."""
    try:
        status = path.stat()
    except OSError as e:
        raise LiveError(f"{path}: {e.strerror}") from e
    if status.st_uid != 0 or stat.S_IMODE(status.st_mode) & others:
        raise LiveError(f"{path} must be root's alone: chown root {path}; chmod go-w {path}")
