# SPDX-License-Identifier: Apache-2.0
"""The walk that the demo shows, from 0/2 to 2/2 and back."""

import io
from pathlib import Path

import pytest
import scenario
from cloud import Cloud

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("fpga-cli.py status", "Used regions: "),
        ("fpga-manage check", "0 found on "),
        ("fpga-manage check --fix", "0 found on "),
        ("fpga-manage db version", "(up to date)"),
        ("fpga-patch status", "patched in {folder}/"),
        ("fpga-patch doctor", "ok       placement    {folder}/"),
        ("nova-manage placement audit", ""),
    ],
)
def test_commands_of_the_shell_need_no_options(cloud: Cloud, command: str, says: str) -> None:
    output = cloud.run(*command.split()).stdout.decode()
    assert says.format(folder=cloud.folder) in output


def test_the_walk_of_the_demo_shows_every_step_and_leaves_nothing(cloud: Cloud) -> None:
    output = io.StringIO()
    figures = scenario.walk(cloud, output)
    text = output.getvalue()
    used = [line for line in text.splitlines() if line.startswith("Used regions: ")]
    assert used == [f"Used regions: {n}/2" for n in (0, 1, 1, 2, 2, 0, 2, 1, 0)]
    assert text.count("ok: the output decompresses to the input: True") == 6
    assert set(figures) >= {
        "boot dcr1 (fpga-lzo)",
        "boot dcr2 (fpga-packbits)",
        "boot plain (small)",
        "claim",
        "program dcr1 (packbits)",
    }


def test_a_container_sees_the_devices_of_its_region_and_no_other(cloud: Cloud) -> None:
    servers = [cloud.boot(name, flavor) for name, flavor in (("f", "fpga-lzo"), ("o", "small"))]
    assert [server.status for server in servers] == ["ACTIVE", "ACTIVE"]
    try:
        names = []
        for server in servers:
            found = cloud.run("docker", "exec", f"nova-{server.id}", "ls", "/dev")
            names.append({name for name in found.stdout.decode().split() if "fpga" in name})
        assert names == [{"fpga0"}, set()]
    finally:
        cloud.delete(*(server.id for server in servers))


def test_stop_and_start_keep_the_region(cloud: Cloud) -> None:
    server = cloud.boot("kept", "fpga-lzo")
    try:
        before = cloud.region_of(server.id)
        cloud.api.compute.stop_server(server)
        cloud.wait(server.id, {"SHUTOFF"})
        cloud.api.compute.start_server(server)
        cloud.wait(server.id, {"ACTIVE"})
        assert before is not None
        assert cloud.region_of(server.id) == before
        container = f"nova-{server.id}"
        packed = cloud.run(
            "docker", "exec", "-i", container, "fpga-client", "/dev/fpga0", data=b"again" * 100
        )
        assert 0 < len(packed.stdout) < 500
    finally:
        cloud.delete(server.id)


def test_fpga_cli_is_reached_by_an_ordinary_user_through_rootwrap(cloud: Cloud) -> None:
    pid = cloud.pid("nova-compute")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    uids = next(line for line in lines if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids
