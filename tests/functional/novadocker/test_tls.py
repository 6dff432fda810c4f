# SPDX-License-Identifier: Apache-2.0
"""A real Docker Engine that listens on the loopback interface, with TLS."""

import socket

import docker
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from novadocker import errors
from novadocker.engine import Engine
from tests.functional.novadocker import dockerd as engines
from tests.support import keys


def _pair(folder, name):
    """A certificate and its key, in files."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = keys.write_certificate(folder / f"{name}.pem", keys.certificate(key))
    return str(certificate), str(keys.write_private(folder / f"{name}.key", key))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The engine's certificate, nova-compute's and a stranger's, each with its key."""
    folder = tmp_path_factory.mktemp("tls")
    return {name: _pair(folder, name) for name in ("engine", "compute", "stranger")}


@pytest.fixture(scope="module")
def url(files):
    """The address of the engine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    certificate, key = files["engine"]
    trusted = files["compute"][0]
    for _engine in engines.started(
        f"--host={address}",
        "--tlsverify",
        f"--tlscacert={trusted}",
        f"--tlscert={certificate}",
        f"--tlskey={key}",
    ):
        yield address


@pytest.fixture
def settings(config, url, files):
    """Set the options, with changes."""

    def set_options(**changes):
        (certificate, key), ca_file = files["compute"], files["engine"][0]
        chosen = {"ca_file": ca_file, "cert_file": certificate, "key_file": key, "host_url": url}
        config(**(chosen | changes), group="docker")

    return set_options


def test_the_engine_is_used(settings):
    settings()
    assert Engine().info()["OSType"] == "linux"


def test_a_certificate_that_the_engine_does_not_know_is_reported(settings, files):
    certificate, key = files["stranger"]
    settings(cert_file=certificate, key_file=key)
    with pytest.raises(errors.EngineUnavailable, match="see that ca_file, cert_file and key_file"):
        Engine().info()


def test_an_engine_that_is_not_the_one_meant_is_reported(settings, files):
    settings(ca_file=files["stranger"][0])
    with pytest.raises(errors.EngineUnavailable, match="see that ca_file, cert_file and key_file"):
        Engine().info()


def test_nobody_without_a_certificate_is_let_in(url):
    with pytest.raises(docker.errors.DockerException):
        docker.DockerClient(base_url=url)
