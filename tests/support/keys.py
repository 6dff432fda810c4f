# SPDX-License-Identifier: Apache-2.0
"""Keys, certificates and signatures, made anew for a test."""

import base64
import datetime
import typing
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_DAY = datetime.timedelta(days=1)


def write_private(path: Path, key: ed25519.Ed25519PrivateKey | Key) -> Path:
    """The key as an operator has it; the file."""
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def write_public(path: Path, key: ed25519.Ed25519PrivateKey | Key) -> Path:
    """The public part of a key; the file."""
    path.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return path


def certificate(key: Key, days: int = 1) -> x509.Certificate:
    """A certificate of a key, that is valid for some days from yesterday."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    begin = datetime.datetime.now(datetime.UTC) - _DAY
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + days * _DAY + _DAY / 2)
        .sign(key, hashes.SHA256())
    )


def write_certificate(path: Path, *certificates: x509.Certificate) -> Path:
    """Certificates in one file; the file."""
    path.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates))
    return path


def sign_image(key: Key, data: bytes, method: str = "SHA-256") -> dict[str, typing.Any]:
    """The properties of an image that a key signed."""
    algorithm = getattr(hashes, method.replace("-", ""))()
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH)
        signature, kind = key.sign(data, pss, algorithm), "RSA-PSS"
    else:
        signature, kind = key.sign(data, ec.ECDSA(algorithm)), f"ECC_{key.curve.name.upper()}"
    return {
        "img_signature": base64.b64encode(signature).decode(),
        "img_signature_hash_method": method,
        "img_signature_key_type": kind,
        "img_signature_certificate_uuid": "d4f9e7a1-6d0f-4b38-9d0f-6a4f2f3d9a10",
    }
