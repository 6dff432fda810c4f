# SPDX-License-Identifier: Apache-2.0
"""fpga-api on the demo cloud: the real ``openstack`` command of users without admin rights."""

import json
import typing
import urllib.request
import uuid
from pathlib import Path

import pytest
from cloud import Cloud, CloudError

from tests.e2e.fpga import Fpga, wait
from tests.support import bitstreams

pytestmark = pytest.mark.e2e


@pytest.fixture
def stranger(cloud: Cloud, tmp_path: Path) -> typing.Iterator[Fpga]:
    """A member of another project."""
    name, identity = f"stranger-{uuid.uuid4().hex[:8]}", cloud.api.identity
    project = identity.create_project(name=name, domain_id="default")
    person = identity.create_user(name=name, password=name, domain_id="default")
    try:
        role = identity.find_role("member", ignore_missing=False)
        identity.assign_project_role_to_user(project, person, role)
        openrc = tmp_path / "openrc"
        openrc.write_text(
            f". {cloud.folder}/openrc\n"
            f"export OS_USERNAME={name} OS_PASSWORD={name} OS_PROJECT_NAME={name}\n"
        )
        yield Fpga(Cloud(cloud.folder, str(openrc)))
    finally:
        identity.delete_user(person)
        identity.delete_project(project)


@pytest.fixture
def package(tmp_path: Path) -> str:
    """A bitstream that the demo's regions take."""
    file = tmp_path / "package.zip"
    file.write_bytes(bitstreams.package())
    return str(file)


def test_boot_is_seen_in_the_availability(cloud: Cloud, user: Fpga) -> None:
    wait(lambda: user.free("fpga-lzo"), 2)
    server = user.cloud.boot("seen", "fpga-lzo")
    try:
        assert server.status == "ACTIVE"
        wait(lambda: user.free("fpga-lzo"), 1)
        shown = user("availability", "show", "fpga-lzo", "--mine")
        assert (shown["Free"], shown["Total"]) == (1, 2)
        assert shown["Mine"] == 1
    finally:
        user.cloud.delete(server.id)
    wait(lambda: user.free("fpga-lzo"), 2)


def test_region_is_its_owners_and_not_there_for_others(
    cloud: Cloud, user: Fpga, stranger: Fpga
) -> None:
    server = user.cloud.boot("owner", "fpga-lzo")
    try:
        region = cloud.region_of(server.id)
        assert region
        query = ("region", "list", "--server", server.id)
        wait(lambda: [one["ID"] for one in user(*query)], [region["id"]])
        shown = user("region", "show", region["id"])
        assert (shown["State"], shown["Server"], shown["Host"]) == ("programmed", server.id, None)
        assert shown["Function"] == region["function"]
        assert stranger("region", "list") == []
        with pytest.raises(CloudError, match=f"there is no region {region['id']}"):
            stranger("region", "show", region["id"])
        (card,) = Fpga(cloud)("card", "list")
        assert (card["Regions"], card["Used"], card["Free"]) == (2, 1, 1)
        with pytest.raises(CloudError, match="Ask for the role"):
            user("card", "list")
    finally:
        user.cloud.delete(server.id)


def test_user_boots_the_own_private_bitstream(
    cloud: Cloud,
    user: Fpga,
    stranger: Fpga,
    package: str,
    flavor_for: typing.Callable[[str], str],
) -> None:
    created = user("bitstream", "create", package, "--name", "mine")
    image = created["ID"]
    try:
        assert [one["ID"] for one in user("bitstream", "list") if one["Name"] == "mine"] == [image]
        assert image not in {one["ID"] for one in stranger("bitstream", "list")}
        with pytest.raises(CloudError, match="there is no"):
            stranger("bitstream", "show", image)
        server = user.cloud.boot("mine", flavor_for(image))
        try:
            assert server.status == "ACTIVE", user.cloud.fault(server.id)
            assert (cloud.region_of(server.id) or {})["image_id"] == image
            with pytest.raises(CloudError, match="a flavor names the bitstream"):
                user.cloud.run("openstack", "fpga", "bitstream", "delete", image)
        finally:
            user.cloud.delete(server.id)
    finally:
        cloud.api.image.delete_image(image)


def test_bad_package_stays_out_of_glance(user: Fpga, tmp_path: Path) -> None:
    file = tmp_path / "bad.zip"
    file.write_bytes(b"PK\x03\x04 and no more")
    before = {image.id for image in user.cloud.api.image.images()}
    with pytest.raises(CloudError, match="exit 1"):
        user("bitstream", "create", str(file))
    assert {image.id for image in user.cloud.api.image.images()} == before


def test_page_and_description_are_at_the_address_of_the_catalogue(user: Fpga) -> None:
    address = user.cloud.api.session.get_endpoint(service_type="fpga")
    with urllib.request.urlopen(f"{address}/ui/") as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert b"<title>Accelerators</title>" in answer.read()
    with urllib.request.urlopen(f"{address}/openapi.json") as answer:
        assert "/v1/regions" in json.load(answer)["paths"]
