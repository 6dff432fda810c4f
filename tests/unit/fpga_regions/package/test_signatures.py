# SPDX-License-Identifier: Apache-2.0
"""Signatures of packages and of images: made and checked, ours against other programs'."""

import base64
import io
import shutil
import subprocess
import typing
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cursive import signature_utils
from openstack.image import image_signer

from fpga_regions import errors
from fpga_regions.package import signatures
from tests.support import keys

TEXT = b'{"manifest_version": 1}'
DATA = b"a package " * 1000


@pytest.fixture
def key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def check_image(
    record: dict[str, typing.Any], *signers: keys.Key, data: bytes = DATA, days: int = 1
) -> None:
    trusted = [keys.certificate(one, days) for one in signers]
    signatures.check_image(io.BytesIO(data), record, trusted)


def test_signature_of_a_key_is_known_by_its_public_part(
    key: ed25519.Ed25519PrivateKey, tmp_path: Path
) -> None:
    signature = signatures.sign(TEXT, keys.write_private(tmp_path / "key", key))
    other = keys.write_public(tmp_path / "other", ed25519.Ed25519PrivateKey.generate())
    public = keys.write_public(tmp_path / "public", key)
    trusted = signatures.public_keys([str(other), str(public)])
    signatures.check_package(TEXT, signature, trusted)


@pytest.mark.parametrize("change", [b"", TEXT + b"\n", TEXT.replace(b"1", b"2")])
def test_signature_of_another_manifest_is_refused(
    key: ed25519.Ed25519PrivateKey, change: bytes
) -> None:
    with pytest.raises(errors.BadPackage, match="none of the 1 keys"):
        signatures.check_package(change, key.sign(TEXT), [key.public_key()])


def test_signature_of_another_key_is_refused(key: ed25519.Ed25519PrivateKey) -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(errors.BadPackage, match="package_keys"):
        signatures.check_package(TEXT, other.sign(TEXT), [key.public_key()])


def test_no_key_trusts_nothing(key: ed25519.Ed25519PrivateKey) -> None:
    with pytest.raises(errors.BadPackage, match="none of the 0 keys"):
        signatures.check_package(TEXT, key.sign(TEXT), [])


def test_package_without_a_signature_is_refused(key: ed25519.Ed25519PrivateKey) -> None:
    with pytest.raises(errors.BadPackage, match="it is not signed"):
        signatures.check_package(TEXT, None, [key.public_key()])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl(1)")
def test_openssl_makes_the_same_signature(key: ed25519.Ed25519PrivateKey, tmp_path: Path) -> None:
    file = keys.write_private(tmp_path / "key", key)
    text = tmp_path / "manifest.json"
    text.write_bytes(TEXT)
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", file, "-in", text]
    signature = subprocess.run(command, capture_output=True, check=True).stdout
    assert signature == signatures.sign(TEXT, file)


def test_key_of_another_kind_cannot_be_used(rsa_key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    with pytest.raises(signatures.Unusable, match="is not an Ed25519 key"):
        signatures.sign(TEXT, keys.write_private(tmp_path / "key", rsa_key))
    with pytest.raises(signatures.Unusable, match="is not an Ed25519 key"):
        signatures.public_keys([str(keys.write_public(tmp_path / "public", rsa_key))])


def test_file_that_is_no_key_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"hello")
    with pytest.raises(signatures.Unusable, match="not a PEM file of a private key"):
        signatures.sign(TEXT, file)
    with pytest.raises(signatures.Unusable, match="not a PEM file of a public key"):
        signatures.public_keys([str(file)])
    with pytest.raises(signatures.Unusable, match="not a PEM file of certificates"):
        signatures.certificates([str(file)])
    with pytest.raises(signatures.Unusable, match="cannot be read: No such file"):
        signatures.certificates([str(tmp_path / "nothing")])


@pytest.mark.parametrize("method", ["SHA-224", "SHA-256", "SHA-384", "SHA-512"])
def test_image_that_a_trusted_key_signed_is_good(rsa_key: rsa.RSAPrivateKey, method: str) -> None:
    check_image(keys.sign_image(rsa_key, DATA, method), rsa_key)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_image_that_an_elliptic_key_signed_is_good(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    check_image(keys.sign_image(key, DATA), ec.generate_private_key(curve), key)


def test_image_that_the_openstack_client_signed_is_good(
    rsa_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    signer = image_signer.ImageSigner()
    signer.load_private_key(str(keys.write_private(tmp_path / "key", rsa_key)))
    signature = signer.generate_signature(io.BytesIO(DATA))
    record = keys.sign_image(rsa_key, DATA) | {
        "img_signature": base64.b64encode(signature).decode()
    }
    check_image(record, rsa_key)


@pytest.mark.parametrize("data", [DATA, DATA + b"x"])
def test_nova_comes_to_the_same_verdict(
    rsa_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    record = keys.sign_image(rsa_key, DATA)
    monkeypatch.setattr(
        signature_utils, "get_certificate", lambda context, uuid: keys.certificate(rsa_key)
    )
    verifier = signature_utils.get_verifier(None, **record)
    verifier.update(data)
    verdicts = []
    for verdict in (verifier.verify, lambda: check_image(record, rsa_key, data=data)):
        try:
            verdict()
            verdicts.append(True)
        except (errors.BadPackage, InvalidSignature):
            verdicts.append(False)
    assert verdicts == [data == DATA] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"img_signature": None}, "is not signed in Glance"),
        ({"img_signature": "%"}, "img_signature is not base64"),
        ({"img_signature": "AAAA"}, "of no certificate"),
        ({"img_signature_hash_method": "MD5"}, "is MD5, not one of SHA-224"),
        ({"img_signature_hash_method": None}, "is None, not one of"),
        ({"img_signature_hash_method": "SHA-512"}, "of no certificate"),
        ({"img_signature_key_type": "DSA"}, "has a key of type DSA"),
    ],
)
def test_image_with_other_properties_is_refused(
    rsa_key: rsa.RSAPrivateKey, change: dict[str, typing.Any], words: str
) -> None:
    with pytest.raises(errors.BadPackage, match=words):
        check_image(keys.sign_image(rsa_key, DATA) | change, rsa_key)


def test_image_with_other_data_is_refused(rsa_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(errors.BadPackage, match="of no certificate"):
        check_image(keys.sign_image(rsa_key, DATA), rsa_key, data=DATA + b"x")


def test_image_that_a_stranger_signed_is_refused(rsa_key: rsa.RSAPrivateKey) -> None:
    record = keys.sign_image(rsa.generate_private_key(65537, 2048), DATA)
    with pytest.raises(errors.BadPackage, match="of no certificate"):
        check_image(record, rsa_key)


def test_no_certificate_trusts_nothing(rsa_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(errors.BadPackage, match="no certificate in image_certificates"):
        check_image(keys.sign_image(rsa_key, DATA))


def test_certificate_that_ran_out_signs_nothing(rsa_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(errors.BadPackage, match="not valid today"):
        check_image(keys.sign_image(rsa_key, DATA), rsa_key, days=0)


def test_every_certificate_of_a_file_is_trusted(rsa_key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    certificates = [keys.certificate(other), keys.certificate(rsa_key)]
    file = keys.write_certificate(tmp_path / "certificates.pem", *certificates)
    assert signatures.certificates([str(file)]) == certificates
