# SPDX-License-Identifier: Apache-2.0
"""Loads that take long, and fetches that are killed, with a real Docker Engine."""

import pathlib
import signal
import subprocess
import sys
import threading

import nova.conf
import pytest

from novadocker import errors, images, loading

_ROOT = pathlib.Path(__file__).parents[3]
_KILLED = """
import os, sys
from oslo_config import cfg
import nova.conf
from novadocker import engine, images, options
CONF = nova.conf.CONF
CONF([], project="nova", default_config_files=[], default_config_dirs=[])
options.register_opts(CONF)
CONF.set_override("instances_path", sys.argv[1])
CONF.set_override("host_url", sys.argv[2], group="docker")

class Glance:
    def get(self, context, image_id):
        return {"id": image_id}

    def download(self, context, image_id, dest_path):
        with open(dest_path, "wb") as file:
            file.write(bytes(1 << 20))
        print("half", flush=True)
        sys.stdin.read()

class Image:
    id, container_format = "7b0a4f2e-5c1d-4e0b-9a51-0d7d5c6b1a11", "docker"

    def __contains__(self, name):
        return True

images.IMAGE_API = Glance()
images.ensure(engine.Engine(), None, Image())
"""


@pytest.fixture
def slow(dockerd, monkeypatch):
    """Have the engine stop for so many seconds when a load begins."""
    seconds = []
    timers = []

    def load(*arguments):
        dockerd.signal(signal.SIGSTOP)
        timers.append(threading.Timer(seconds[0], dockerd.signal, [signal.SIGCONT]))
        timers[0].start()
        return real(*arguments)

    real = loading._load
    monkeypatch.setattr(loading, "_load", load)
    yield seconds.append
    for timer in timers:
        timer.join()


def test_a_load_may_take_longer_than_other_requests(servers, config, slow):
    config(api_timeout=1, image_load_timeout=20, group="docker")
    slow(3)
    servers.boot()


def test_a_load_that_takes_too_long_does_not_blame_the_engine(servers, config, slow):
    config(image_load_timeout=1, group="docker")
    slow(3)
    with pytest.raises(errors.ImageNotReady, match="image_load_timeout") as failure:
        servers.boot()
    assert "start it" not in str(failure.value)


@pytest.fixture
def fetch(driver, dockerd):
    """A process of another nova-compute that is within a fetch."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _KILLED, nova.conf.CONF.instances_path, dockerd.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    assert process.stdout.readline() == "half\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def _fetches():
    return list(pathlib.Path(nova.conf.CONF.instances_path).glob("docker-image-*"))


def test_what_a_killed_fetch_left_goes_when_the_service_starts(driver, fetch):
    fetch.kill()
    fetch.wait()
    assert len(_fetches()) == 1
    driver.init_host("host1")
    assert _fetches() == []


def test_what_a_living_process_fetches_stays(driver, fetch):
    driver.init_host("host1")
    images.sweep()
    assert len(_fetches()) == 1
