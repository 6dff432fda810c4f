# SPDX-License-Identifier: Apache-2.0
"""Programs of running servers on the demo cloud, as its ordinary user makes them."""

import json
import typing
import uuid
from pathlib import Path

import developers_loop
import pytest
import scenario
from cloud import Cloud, CloudError

from tests.e2e.fpga import Fpga, wait

pytestmark = pytest.mark.e2e

CORES = Path(__file__).parents[2] / "cores"
PROGRAMS = 10


@pytest.fixture
def server(user: Fpga) -> typing.Iterator[typing.Any]:
    found = user.cloud.boot("programmed", "fpga-packbits")
    try:
        assert found.status == "ACTIVE", user.cloud.fault(found.id)
        yield found
    finally:
        user.cloud.delete(found.id)


def _ask(cloud: Cloud, server: str, data: bytes) -> bytes:
    """What the region of a server answers inside its container."""
    client = ("docker", "exec", "-i", f"nova-{server}", "fpga-client", "/dev/fpga0")
    return typing.cast(bytes, cloud.run(*client, data=data).stdout)


def test_region_stays_the_same_over_many_programs(
    cloud: Cloud, user: Fpga, server: typing.Any
) -> None:
    region = (cloud.region_of(server.id) or {})["id"]
    python = cloud.folder / "venv" / "regions" / "bin" / "python"
    for number in range(PROGRAMS):
        bitstream = ("lzo_compression", "packbits")[number % 2]
        done = user("program", "create", server.id, bitstream, "--wait")
        assert (done["State"], done["Reboot Required"]) == ("done", False)
        assert (cloud.region_of(server.id) or {})["id"] == region
        data = scenario.sample()
        answer = _ask(cloud, server.id, data)
        expand = scenario.expand_packbits if number % 2 else None
        found = expand(answer) if expand else scenario.expand_lzo(answer, python)
        assert found == data


def test_developer_s_loop_ends_with_an_answer_of_the_new_core(
    cloud: Cloud, user: Fpga, server: typing.Any
) -> None:
    program = user("program", "create", server.id, "--source", str(CORES / "crc32.v"))
    image = program["Bitstream"]
    try:
        assert program["State"] == "done"
        import zlib

        data = scenario.sample()
        assert _ask(cloud, server.id, data) == zlib.crc32(data).to_bytes(4, "big")
        listed = {one["ID"] for one in user("bitstream", "list")}
        assert image not in listed  # it is hidden
        assert user("bitstream", "show", image)["ID"] == image
        # A power cycle brings it back.
        user.cloud.run("openstack", "server", "reboot", "--hard", "--wait", server.id)
        wait(lambda: _ask(cloud, server.id, data), zlib.crc32(data).to_bytes(4, "big"))
        user("program", "create", server.id, "packbits", "--wait")
        wait(lambda: cloud.api.image.find_image(image), None)
    finally:
        cloud.api.image.delete_image(image)


def test_loop_of_the_documentation_ends_with_the_answers_of_both_cores(cloud: Cloud) -> None:
    assert len(developers_loop.walk(cloud)) == 2


def test_others_and_what_is_not_accepted_are_refused(
    cloud: Cloud, user: Fpga, server: typing.Any
) -> None:
    with pytest.raises(CloudError, match="there is no"):
        user("program", "create", server.id, str(uuid.uuid4()))
    with pytest.raises(CloudError, match="no region 6"):
        user("program", "create", server.id, "packbits", "--number", "6")
    api = scenario.Walk(cloud).api
    path = f"/v1/servers/{uuid.uuid4()}/programs"
    image = user.cloud.api.image.find_image("packbits").id
    assert api.post(path, json={"bitstream": image}).status_code == 404
    assert json.loads(user.cloud.run("openstack", "fpga", "program", "list", "-f", "json").stdout)
