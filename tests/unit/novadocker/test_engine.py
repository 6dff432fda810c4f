# SPDX-License-Identifier: Apache-2.0
"""An engine that is not there, or that nova-compute may not open."""

import socket
import time

import pytest
from nova import exception

from novadocker import errors
from novadocker.engine import Engine


def test_an_engine_that_is_not_there_is_told_with_what_to_do(config, tmp_path):
    config(host_url=f"unix://{tmp_path}/none", group="docker")
    with pytest.raises(errors.EngineUnavailable, match=f"Docker Engine at unix://{tmp_path}/none"):
        Engine().info()


def test_an_engine_that_does_not_answer_is_given_up(config, tmp_path):
    config(host_url=f"unix://{tmp_path}/silent", api_timeout=1, group="docker")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/silent")
        silent.listen()
        with pytest.raises(errors.EngineUnavailable, match="start it"):
            Engine().info()


def test_waiting_ends(config, tmp_path):
    config(host_url=f"unix://{tmp_path}/none", group="docker")
    start = time.monotonic()
    with pytest.raises(errors.EngineUnavailable):
        Engine().wait(1)
    assert 1 <= time.monotonic() - start < 30


def test_a_socket_that_may_not_be_opened_needs_another_advice():
    cause = ConnectionError("('Connection aborted.', PermissionError(13, 'Permission denied'))")
    told = errors.EngineUnavailable("unix:///s", cause).format_message()
    assert "Docker Engine at unix:///s" in told
    assert "group of the socket" in told


def test_errors_are_those_that_nova_knows():
    assert issubclass(errors.BadImage, exception.ImageUnacceptable)
    assert issubclass(errors.NotServed, exception.BuildAbortException)
    told = errors.BadImage("i", "why").format_message()
    assert told == "Image i is unacceptable: why"
