# SPDX-License-Identifier: Apache-2.0
"""Regions whose kernels run on a node: the agent with its credentials, and the way of a region."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import typing
from pathlib import Path

import pytest

from fpga_opencl import client
from fpga_regions import errors
from fpga_regions.opencl.way import Way
from tests.support import bitstreams, opencl, opencl_afar
from tests.support import opencl_nodes as nodes
from tests.support.host import wait_until
from tests.unit.fpga_regions.drivers.test_opencl import Served, host_in

pytestmark = pytest.mark.usefixtures("serving")
_LONG = 120  # seconds


@contextlib.contextmanager
def agent(cloud: opencl_afar.Cloud, folder: Path) -> typing.Iterator[str]:
    """An agent with the credentials of a member; where it listens."""
    conf, path = folder / "agent.conf", folder / "agent"
    conf.write_text(
        "[opencl_agent]\nmemory = 512\n"
        f"[service_credentials]\nauth_type = admin_token\nendpoint = {cloud.url}\n"
        f"token = member\nendpoint_override = {cloud.url}\n"
    )
    words = [sys.executable, "-m", "fpga_opencl.agent.command"]
    words += ["--config-file", str(conf), "--socket", str(path)]
    with subprocess.Popen(words, cwd=opencl.ROOT) as process:
        try:
            wait_until(path.exists, _LONG)
            yield str(path)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(_LONG) == 0
    assert not path.exists()
    assert sessions(cloud) == []


@contextlib.contextmanager
def region(agent: str, folder: Path, most: int = 2) -> typing.Iterator[str]:
    """What stands behind a region; where its clients connect."""
    path = str(folder / "region")
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        way = Way(agent, listener, most)
        thread = threading.Thread(target=way.serve, args=(reading,))
        thread.start()
        try:
            yield path
        finally:
            os.write(writing, b"-")
            thread.join()
            way.close()
            os.close(reading)
            os.close(writing)
            Path(path).unlink()


def sessions(cloud: opencl_afar.Cloud) -> list[typing.Any]:
    """Those that there are."""
    cloud.look()
    answer = cloud.api.call("GET", f"{nodes.SESSIONS}?state=active", "admin")
    return list(answer.json["sessions"])


def names(path: str) -> str:
    """The name of the device behind a region."""
    with client.open_session(path) as session:
        return str(session.devices.show(session.devices.list()[0])["name"])


def opens(path: str) -> bool:
    """Whether a region takes one more client now."""
    try:
        return bool(names(path))
    except client.DeviceLost:
        return False


def test_each_connection_has_a_session_that_ends_with_it(
    cloud: opencl_afar.Cloud, tmp_path: Path
) -> None:
    with agent(cloud, tmp_path) as here, region(here, tmp_path) as path:
        with client.open_session(path) as one, client.open_session(path) as other:
            assert one.devices.list() == other.devices.list() == [1]
            assert [found["memory"] for found in sessions(cloud)] == [512, 512]
            # As many as the region may have; the node has room for more.
            with pytest.raises(client.DeviceLost):
                names(path)
        wait_until(lambda: not sessions(cloud), _LONG)
        wait_until(lambda: opens(path), _LONG)


def test_connections_end_with_their_region(cloud: opencl_afar.Cloud, tmp_path: Path) -> None:
    with agent(cloud, tmp_path) as here:
        with region(here, tmp_path) as path:
            session = client.open_session(path)
        with pytest.raises(client.DeviceLost):
            while True:
                session.devices.show(1)
        session.close()
        wait_until(lambda: not sessions(cloud), _LONG)


def test_region_outlives_its_agent(cloud: opencl_afar.Cloud, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with agent(cloud, tmp_path) as here:
            path = stack.enter_context(region(here, tmp_path))
            wait_until(lambda: opens(path), _LONG)
        with pytest.raises(client.DeviceLost):
            names(path)
        with agent(cloud, tmp_path):
            wait_until(lambda: opens(path), _LONG)


def test_burnt_region_runs_its_kernels_on_the_node(
    cloud: opencl_afar.Cloud, tmp_path: Path
) -> None:
    with agent(cloud, tmp_path) as here:
        served = Served(host_in(tmp_path, opencl__agent=here, opencl__parts="binary"))
        assert served.slots[0].part == "source"
        path = served.program(bitstreams.opencl_package())
        with client.open_session(path) as session:
            assert session.devices.list() == [1]
            served.clear()
            with pytest.raises(client.DeviceLost):
                while True:
                    session.devices.show(1)
        wait_until(lambda: not sessions(cloud), _LONG)


def test_region_without_its_agent_is_not_burnt(tmp_path: Path) -> None:
    served = Served(host_in(tmp_path, opencl__agent=str(tmp_path / "none")))
    with pytest.raises(errors.ProgrammingFailed, match="the agent does not answer at"):
        served.program(bitstreams.opencl_package())
    served.clear()


def test_agent_for_regions_needs_a_socket() -> None:
    command = [sys.executable, "-m", "fpga_opencl.agent.command", "--config-file", "agent.conf"]
    finished = subprocess.run(command, cwd=opencl.ROOT, capture_output=True, check=False)
    assert finished.returncode == 2
