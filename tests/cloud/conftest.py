# SPDX-License-Identifier: Apache-2.0
"""A cloud on three local hosts for the tests here, in a folder and a network of its own.

KEEP=1 keeps it at the end, and a run with KEEP=1 takes the one that is there.
"""

import collections.abc
import dataclasses
import os
import pathlib
import time

import pytest

from tests.cloud.site import COMPUTE1, COMPUTE2, CONTROLLER, Site
from tests.cloud.users import FOLDER, CloudOfHosts

_FOLDER = os.environ.get("E2E_CLOUD_DIR") or "/var/lib/fpga-nova/e2e-cloud"
_SUBNET = os.environ.get("E2E_CLOUD_SUBNET") or "10.79.0"
KEEP = bool(os.environ.get("KEEP"))

HOSTS = tuple(dataclasses.replace(one, opencl=True) for one in (CONTROLLER, COMPUTE1, COMPUTE2))


@pytest.fixture(scope="session")
def site() -> collections.abc.Iterator[Site]:
    """A folder without hosts, or with those that were kept; all is removed at the end."""
    if os.geteuid() != 0:
        pytest.skip("local hosts are made by root")
    site = Site(pathlib.Path(_FOLDER), _SUBNET)
    if not KEEP:
        site.remove()
    yield site
    if not KEEP:
        site.remove()


@pytest.fixture(scope="session")
def cloud(site: Site) -> CloudOfHosts:
    """A controller, compute1 with two FPGA regions, and compute2 without; all of them are up.

    Each is a node of OpenCL.

    ``cloud.site`` has the commands: ``site.ask("compute1", "uptime")`` by SSH,
    ``site.hosts("reboot", "compute1")`` of hosts.py, ``site.verb("up")`` of cloud.sh.
    """
    site.describe(*HOSTS)
    cloud = CloudOfHosts(site)
    if KEEP and site.hosts_folder.exists() and cloud.is_there():
        site.mend()
    else:
        start = time.monotonic()
        site.first_up = site.up()
        print(f"up from nothing: {time.monotonic() - start:.0f} s\n{site.first_up}")
    return cloud


@pytest.fixture(autouse=True)
def no_servers(request: pytest.FixtureRequest) -> collections.abc.Iterator[None]:
    """A test begins without servers, whatever the one before it has left."""
    if "cloud" in request.fixturenames:
        cloud: CloudOfHosts = request.getfixturevalue("cloud")
        if cloud.is_there():
            cloud.delete(*cloud.servers())
    yield


@pytest.fixture
def slow_burn(cloud: CloudOfHosts) -> collections.abc.Iterator[str]:
    """A flavor whose burns on compute1 wait for the compiler of its model."""
    file, models = f"{FOLDER}/etc/fpga/fpga-cli.conf", f"{FOLDER}/state/*/fpga/emulator-models"
    engine = "s/^\\[emulator\\]/&\\nengine = verilator/"
    cloud.site.ask("compute1", f"sed -i '{engine}' {file}; rm -rf {models}")
    yield "fpga-packbits"
    cloud.site.ask("compute1", f"sed -i '/^engine = verilator/d' {file}")
