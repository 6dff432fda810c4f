# SPDX-License-Identifier: Apache-2.0
"""Errors that a user or an operator makes: ERROR, and a fault that says what to do."""

import io
import os
import signal
import subprocess
import typing
import uuid
import zipfile
from pathlib import Path

import pytest
from cloud import Cloud, CloudError

pytestmark = pytest.mark.e2e

CHECKOUT = Path(__file__).parents[2]


def _zip(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_an_unknown_bitstream_image(failing_boot, flavor_for) -> None:
    image_id = str(uuid.uuid4())
    fault = failing_boot(flavor_for(image_id))
    assert image_id in fault
    assert "no such image" in fault


def test_a_bitstream_image_with_another_container_format(failing_boot, flavor_for, upload) -> None:
    fault = failing_boot(flavor_for(upload(b"x" * 100, container_format="bare")))
    assert "container format" in fault
    assert "bare" in fault


def test_a_package_that_is_no_zip(failing_boot, flavor_for, upload) -> None:
    assert "zip" in failing_boot(flavor_for(upload(b"this is no archive" * 100)))


def test_a_package_without_a_manifest(failing_boot, flavor_for, upload) -> None:
    assert "manifest.json" in failing_boot(flavor_for(upload(_zip(readme="hello"))))


def test_a_flavor_whose_value_is_no_uuid_is_refused_by_the_api(cloud: Cloud, flavor_for) -> None:
    flavor = flavor_for(str(uuid.uuid4()))
    with pytest.raises(CloudError, match="is not of the format"):
        cloud.run("nova", "flavor-key", flavor, "set", "hw:fpga_ip_id=lzo")


@pytest.mark.parametrize("version", ["2.1", "2.60", "2.86", "2.latest"])
def test_a_uuid_is_accepted_at_every_microversion(cloud: Cloud, flavor_for, version) -> None:
    image_id = str(uuid.uuid4())
    flavor = flavor_for(str(uuid.uuid4()))
    command = ("--os-compute-api-version", version, "flavor-key", flavor)
    cloud.run("nova", *command, "set", f"hw:fpga_ip_id={image_id}")
    found = cloud.api.compute.find_flavor(flavor, get_extra_specs=True)
    assert found.extra_specs == {"hw:fpga_ip_id": image_id}


@pytest.fixture
def moved_away(cloud: Cloud, failing_boot) -> typing.Iterator[typing.Callable[[Path], None]]:
    """Take a file away for the time of the test; back before failing_boot looks what is left."""
    moved = []

    def move(path: Path) -> None:
        # Not beside it: rootwrap reads every file of its folder.
        aside = cloud.folder / f"{path.name}.aside"
        path.rename(aside)
        moved.append((aside, path))

    yield move
    for aside, path in moved:
        aside.rename(path)


@pytest.fixture
def go_on(cloud: Cloud, failing_boot) -> typing.Iterator[typing.Callable[[], None]]:
    """nova-compute stands still until this is called, so that no audit comes before the boot."""
    compute = cloud.pid("nova-compute")
    os.kill(compute, signal.SIGSTOP)
    yield lambda: os.kill(compute, signal.SIGCONT)
    os.kill(compute, signal.SIGCONT)


def test_fpga_cli_is_missing_on_the_host(cloud: Cloud, failing_boot, moved_away, go_on) -> None:
    moved_away(cloud.folder / "bin" / "fpga-cli.py")
    fault = failing_boot("fpga-lzo", meanwhile=go_on)
    assert "cannot be run as root" in fault
    assert "exec_dirs" in fault


def test_fpga_cli_is_not_permitted_by_rootwrap(
    cloud: Cloud, failing_boot, moved_away, go_on
) -> None:
    moved_away(cloud.folder / "etc" / "nova" / "rootwrap.d" / "fpga.filters")
    # A daemon that an audit has started since knows the filters of before.
    daemon = f"nova-rootwrap-daemon {cloud.folder}/etc/nova/rootwrap.conf"
    subprocess.run(["pkill", "-f", daemon], check=False)
    fault = failing_boot("fpga-lzo", meanwhile=go_on)
    assert "cannot be run as root" in fault
    assert "fpga.filters" in fault


@pytest.fixture
def repaired(cloud: Cloud, failing_boot) -> typing.Iterator[None]:
    """Bring the cloud up again after the test, as its operator would."""
    yield
    subprocess.run(["make", "demo-up"], cwd=CHECKOUT, check=True, capture_output=True)


def test_glance_goes_down_in_the_middle(cloud: Cloud, failing_boot, repaired, go_on) -> None:
    def stop_glance() -> None:
        os.kill(cloud.pid("glance-api"), signal.SIGTERM)
        go_on()

    fault = failing_boot("fpga-lzo", meanwhile=stop_glance)
    # Either the container's image or the bitstream, whichever is fetched first.
    assert "glance" in fault.lower()


def test_the_docker_engine_is_down(cloud: Cloud, failing_boot, repaired) -> None:
    os.kill(cloud.pid("dockerd"), signal.SIGTERM)
    fault = failing_boot("fpga-lzo")
    assert "Docker Engine" in fault
    assert "start it" in fault
