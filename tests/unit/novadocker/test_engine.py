# SPDX-License-Identifier: Apache-2.0
"""An engine that is not there, or that nova-compute may not open."""

import socket
import threading
import time

import pytest
from nova import exception

from novadocker import errors
from novadocker.engine import Engine


def test_an_engine_that_is_not_there_is_reported_with_what_to_do(config, tmp_path):
    config(host_url=f"unix://{tmp_path}/none", group="docker")
    with pytest.raises(errors.EngineUnavailable, match=f"Docker Engine at unix://{tmp_path}/none"):
        Engine().info()


def test_an_engine_that_does_not_answer_is_given_up(config, tmp_path):
    config(host_url=f"unix://{tmp_path}/silent", api_timeout=1, group="docker")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/silent")
        silent.listen()
        with pytest.raises(errors.EngineUnavailable, match=r"not answer in time.*api_timeout"):
            Engine().info()


def test_waiting_ends(config, tmp_path):
    config(host_url=f"unix://{tmp_path}/none", group="docker")
    start = time.monotonic()
    with pytest.raises(errors.EngineUnavailable):
        Engine().wait(1)
    assert 1 <= time.monotonic() - start < 30


def test_a_socket_that_may_not_be_opened_needs_another_advice():
    cause = ConnectionError("('Connection aborted.', PermissionError(13, 'Permission denied'))")
    message = errors.EngineUnavailable("unix:///s", cause).format_message()
    assert "Docker Engine at unix:///s" in message
    assert "group of the socket" in message


def test_errors_are_those_that_nova_knows():
    assert issubclass(errors.BadImage, exception.ImageUnacceptable)
    assert issubclass(errors.NotServed, exception.BuildAbortException)
    message = errors.BadImage("i", "why").format_message()
    assert message == "Image i is unacceptable: why"


def test_the_version_that_the_engine_speaks_is_asked_for(listener):
    assert Engine().info()["asked"] == "/v1.41/info"


@pytest.mark.parametrize(("oldest", "newest"), [("1.44", "1.52"), ("1.24", "1.40")])
def test_another_engine_is_asked_in_its_own_version(listener, oldest, newest):
    engine = Engine()
    engine.info()
    listener.oldest, listener.newest = oldest, newest
    assert engine.info()["asked"] == f"/v{newest}/info"


def test_an_engine_that_does_not_change_keeps_its_client(listener):
    engine = Engine()
    with engine.asked_to("answer") as first, engine.asked_to("answer") as second:
        assert first is second


def test_an_engine_that_gives_no_version_is_asked_again_after_a_refusal(listener):
    listener.says_version = False
    engine = Engine()
    engine.info()
    listener.oldest, listener.newest = "1.44", "1.52"
    with pytest.raises(errors.EngineRefused, match=r"client version 1\.41 is too old"):
        engine.info()
    assert engine.info()["asked"] == "/v1.52/info"


def test_an_engine_that_dies_amid_its_answer_is_not_available(listener):
    engine = Engine()
    engine.info()
    listener.breaks_off = True
    with pytest.raises(errors.EngineUnavailable):
        engine.info()


def test_two_that_ask_at_once_do_not_wait_for_each_other(config, tmp_path):
    config(host_url=f"unix://{tmp_path}/silent", api_timeout=2, group="docker")
    engine = Engine()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/silent")
        silent.listen()
        start = time.monotonic()
        askers = [threading.Thread(target=_ask_in_vain, args=(engine,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        assert time.monotonic() - start < 6


def _ask_in_vain(engine: Engine) -> None:
    with pytest.raises(errors.EngineUnavailable):
        engine.info()


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:2375", "http://127.0.0.1:2375"])
def test_an_engine_behind_a_network_address_needs_tls(config, url):
    config(host_url=url, ca_file="/ca.pem", cert_file="/cert.pem", group="docker")
    with pytest.raises(errors.EngineUnavailable, match="with TLS - see that ca_file, cert_file"):
        Engine().wait(0)


def test_a_certificate_that_is_not_there_is_named(config):
    files = dict.fromkeys(("ca_file", "cert_file", "key_file"), "/nonexistent")
    config(host_url="tcp://127.0.0.1:1", **files, group="docker")
    with pytest.raises(errors.EngineUnavailable, match="certificate and key files"):
        Engine().wait(0)
