# SPDX-License-Identifier: Apache-2.0
"""A real Docker Engine that listens on the loopback interface, with TLS."""

import datetime
import ipaddress
import pathlib
import socket

import docker
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from novadocker import errors
from novadocker.engine import Engine
from tests.functional.novadocker import dockerd as engines
from tests.support import keys

_COMMON_NAME = x509.NameOID.COMMON_NAME


class _Authority:
    """Signs certificates, as an operator's own does."""

    def __init__(self, folder, name):
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(_COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = self._write(f"{name}-ca", own)

    def pair(self, name):
        """A certificate and its key, in files."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(_COMMON_NAME, name)])
        builder = self._builder(subject, key).add_extension(address, critical=False)
        return self._write(name, builder), str(
            keys.write_private(self._folder / f"{name}.key", key)
        )

    def _builder(self, subject, key):
        begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        return (
            x509.CertificateBuilder(self._name, subject, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=2))
        )

    def _write(self, name, builder):
        signed = builder.sign(self._key, hashes.SHA256())
        return str(keys.write_certificate(self._folder / f"{name}.pem", signed))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two authorities; certificates of the engine, of nova-compute and of a stranger."""
    folder = tmp_path_factory.mktemp("tls")
    ours, other = _Authority(folder, "ours"), _Authority(folder, "other")
    return {
        "ca": ours.file,
        "other-ca": other.file,
        "engine": ours.pair("engine"),
        "compute": ours.pair("compute"),
        "stranger": other.pair("stranger"),
    }


@pytest.fixture(scope="module")
def url(files):
    """The address of the engine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    certificate, key = files["engine"]
    for _engine in engines.started(
        f"--host={address}",
        "--tlsverify",
        f"--tlscacert={files['ca']}",
        f"--tlscert={certificate}",
        f"--tlskey={key}",
    ):
        yield address


@pytest.fixture
def settings(config, url, files):
    """Set the options, with changes."""

    def set_options(**changes):
        certificate, key = files["compute"]
        chosen = {"ca_file": files["ca"], "cert_file": certificate, "key_file": key}
        config(**(chosen | changes), host_url=url, group="docker")

    return set_options


def test_the_engine_is_used_whatever_certificates_and_proxies_others_have(
    settings, files, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", files["other-ca"])
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    settings()
    assert Engine().info()["OSType"] == "linux"


def test_a_certificate_that_the_engine_does_not_know_is_reported(settings, files):
    certificate, key = files["stranger"]
    settings(cert_file=certificate, key_file=key)
    with pytest.raises(errors.EngineUnavailable, match="see that ca_file, cert_file and key_file"):
        Engine().info()


def test_an_engine_that_is_not_the_one_meant_is_reported(settings, files):
    settings(ca_file=files["other-ca"])
    with pytest.raises(errors.EngineUnavailable, match="see that ca_file, cert_file and key_file"):
        Engine().info()


def test_a_certificate_that_is_removed_later_is_reported(settings, files, tmp_path):
    certificate = tmp_path / "compute.pem"
    certificate.write_bytes(pathlib.Path(files["compute"][0]).read_bytes())
    settings(cert_file=str(certificate))
    engine = Engine()
    engine.info()
    certificate.unlink()
    with pytest.raises(errors.EngineUnavailable, match="see that ca_file, cert_file and key_file"):
        engine.info()


def test_nobody_without_a_certificate_is_let_in(url):
    with pytest.raises(docker.errors.DockerException):
        docker.DockerClient(base_url=url)
