# SPDX-License-Identifier: Apache-2.0
"""Certificates of signed images that are in a key manager: castellan's own in memory."""

import io
import sys
import typing
import uuid
from pathlib import Path

import pytest
from castellan.common.objects import opaque_data, x_509
from castellan.tests.unit.key_manager import mock_key_manager
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.command import options
from fpga_regions.image import glance, policy
from tests.support import bitstreams, keys
from tests.unit.fpga_regions.conftest import unpack


class Stored(mock_key_manager.MockKeyManager):
    """castellan's key manager for tests, which keeps what it has from one use to the next."""

    contents: typing.ClassVar[dict[str, typing.Any]] = {}

    def __init__(self, configuration: typing.Any = None) -> None:
        super().__init__(configuration)
        self.keys = self.contents


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@pytest.fixture(autouse=True)
def stored() -> typing.Iterator[dict[str, typing.Any]]:
    Stored.contents.clear()
    yield Stored.contents
    Stored.contents.clear()


def _store(key: keys.Key) -> str:
    der = keys.certificate(key).public_bytes(serialization.Encoding.DER)
    return str(Stored().store("context", x_509.X509(der)))


def _conf(folder: Path, *certificates: str) -> cfg.ConfigOpts:
    file = folder / "fpga-cli.conf"
    file.write_text(
        "[packages]\nrequire_signature = glance\n"
        f"image_certificates = {','.join(certificates)}\n"
        f"[key_manager]\nbackend = {__name__}.Stored\nauth_type = token\ntoken = t\n"
    )
    return options.load(str(file))


def _check(conf: cfg.ConfigOpts, key: keys.Key) -> None:
    data = bitstreams.package()
    properties = keys.sign_image(key, data)
    policy.check(conf, unpack(data, conf), glance.Fetched(io.BytesIO(data), properties))


def test_image_signed_by_a_certificate_in_the_key_manager_is_burnt(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    _check(_conf(tmp_path, f"castellan:{_store(key)}"), key)


def test_certificates_in_files_count_beside_those_in_the_key_manager(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    file = keys.write_certificate(tmp_path / "signer.pem", keys.certificate(key))
    other = _store(ec.generate_private_key(ec.SECP384R1()))
    _check(_conf(tmp_path, f"castellan:{other}", str(file)), key)


def test_image_signed_by_another_certificate_than_those_named_is_refused(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    _store(key)
    other = _store(ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(errors.BadPackage, match="of no certificate in image_certificates"):
        _check(_conf(tmp_path, f"castellan:{other}"), key)


def test_certificate_that_the_key_manager_does_not_have_is_named_as_the_fault(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    with pytest.raises(errors.NotAccessible, match="image_certificates: the key manager"):
        _check(_conf(tmp_path, f"castellan:{uuid.uuid4()}"), key)


def test_what_is_no_certificate_is_refused(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    other = str(Stored().store("context", opaque_data.OpaqueData(b"no certificate")))
    with pytest.raises(errors.NotAccessible, match=r"is not an X\.509 certificate"):
        _check(_conf(tmp_path, f"castellan:{other}"), key)


def test_without_the_extra_it_is_said_what_to_install(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fpga_regions.image.key_manager", None)
    monkeypatch.delattr("fpga_regions.image.key_manager", raising=False)
    with pytest.raises(errors.NotAccessible, match=r"install fpga-nova\[castellan\]"):
        _check(_conf(tmp_path, f"castellan:{uuid.uuid4()}"), key)
