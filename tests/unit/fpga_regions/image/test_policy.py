# SPDX-License-Identifier: Apache-2.0
"""What the operator lets be burnt, through the real command: signatures and digests."""

import hashlib
import typing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from fpga_regions.package import writer
from tests.support import bitstreams, keys
from tests.support.host import Host
from tests.support.openstack import OpenStack

CONTENT = bitstreams.bitfile()
TEXT = writer.describe(bitstreams.fields(), CONTENT)
UNSIGNED = writer.write(TEXT, CONTENT)


class Signers(typing.NamedTuple):
    """Who may sign, and the options that say so."""

    package: ed25519.Ed25519PrivateKey
    image: ec.EllipticCurvePrivateKey
    options: dict[str, typing.Any]


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    package, image = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())
    key = keys.write_public(tmp_path / "key.pem", package)
    certificate = keys.write_certificate(tmp_path / "image.pem", keys.certificate(image))
    options = {"packages__package_keys": key, "packages__image_certificates": certificate}
    return Signers(package, image, options)


def burn(host: Host, cloud: OpenStack, data: bytes, **properties: typing.Any) -> tuple[int, str]:
    """Exit status and line of error of a burn."""
    result = host.run("burn", cloud.add(data, properties=properties))
    return result.returncode, result.stderr


@pytest.mark.parametrize("required", ["none", "package", "glance", "any"])
@pytest.mark.parametrize("package", [False, True], ids=["unsigned package", "signed package"])
@pytest.mark.parametrize("image", [False, True], ids=["unsigned image", "signed image"])
def test_required_signature_decides(
    host: Host, cloud: OpenStack, signers: Signers, required: str, package: bool, image: bool
) -> None:
    host.configure(packages__require_signature=required, **signers.options)
    signature = signers.package.sign(TEXT) if package else None
    data = writer.write(TEXT, CONTENT, signature)
    properties = keys.sign_image(signers.image, data) if image else {}
    good = {"none": True, "package": package, "glance": image, "any": package or image}[required]
    code, line = burn(host, cloud, data, **properties)
    assert code == (0 if good else 66)
    assert (f"require_signature is {required}, and " in line) is not good
    assert host.status()["used"] == good


def test_signature_of_a_stranger_is_reported(
    host: Host, cloud: OpenStack, signers: Signers
) -> None:
    host.configure(packages__require_signature="package", **signers.options)
    stranger = ed25519.Ed25519PrivateKey.generate()
    code, line = burn(host, cloud, writer.write(TEXT, CONTENT, stranger.sign(TEXT)))
    assert (code, "none of the 1 keys in package_keys" in line) == (66, True)


def test_package_that_is_cached_must_be_signed_too(
    host: Host, cloud: OpenStack, signers: Signers
) -> None:
    image = cloud.add(UNSIGNED)
    host.burn(image)
    host.configure(packages__require_signature="package", **signers.options)
    result = host.run("burn", image)
    assert (result.returncode, "it is not signed" in result.stderr) == (66, True)


def test_key_that_cannot_be_used_is_reported(host: Host, cloud: OpenStack, tmp_path: Path) -> None:
    host.configure(
        packages__require_signature="package", packages__package_keys=tmp_path / "nothing"
    )
    code, line = burn(host, cloud, UNSIGNED)
    assert (code, "package_keys" in line, "cannot be read" in line) == (127, True, True)


@pytest.mark.parametrize("allowed", [True, False])
def test_digest_must_be_among_those_allowed(host: Host, cloud: OpenStack, allowed: bool) -> None:
    digest = hashlib.sha256(CONTENT if allowed else b"other").hexdigest()
    host.configure(packages__allowed_digests=f"sha256:{'0' * 64},sha256:{digest}")
    code, line = burn(host, cloud, UNSIGNED)
    assert code == (0 if allowed else 66)
    assert ("is not in allowed_digests" in line) is not allowed


@pytest.mark.parametrize(
    ("option", "value"),
    [("allowed_digests", "0" * 64), ("allowed_digests", "md5:00"), ("require_signature", "yes")],
)
def test_value_that_cannot_be_used_is_reported(host: Host, option: str, value: str) -> None:
    host.configure(**{f"packages__{option}": value})
    result = host.run("status")
    assert (result.returncode, option in result.stderr) == (127, True)
