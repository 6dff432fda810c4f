# SPDX-License-Identifier: Apache-2.0
"""What images and users ask of containers, and what they do not get."""

import io
import tarfile

import pytest
from nova import exception, objects

from fpga_hooks.instance import devices
from tests.support import container_images as archives

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI somebody"
_KEYS = "/root/.ssh/authorized_keys"


@pytest.fixture
def boot(servers, glance, archive):
    """Boots a server of the demo's image with properties."""

    def boot(metadata=None, key=None, **properties):
        servers.image = glance.add(archive, properties=properties)
        instance = servers.instance(metadata=metadata or {}, key_data=key)
        servers.spawn(instance, servers.image)
        return instance

    return boot


def test_metadata_that_the_image_names_is_in_the_environment(servers, boot):
    metadata = {"GREETING": "hello, world --privileged", "OTHER": "x"}
    instance = boot(metadata, docker_environment="GREETING,NAME")
    environment = servers.run(instance, "env")[1].splitlines()
    assert "GREETING=hello, world --privileged" in environment
    assert not [line for line in environment if line.startswith(("OTHER", "NAME"))]


def test_metadata_is_no_environment_where_no_image_asks_for_it(servers, boot):
    instance = boot({"GREETING": "hello", "PATH": "/tmp"})
    assert servers.run(instance, "echo $PATH$GREETING") == (0, "/bin\n")


def test_the_servers_key_is_where_the_image_wants_it(servers, boot):
    instance = boot(key=_KEY, docker_authorized_keys=_KEYS)
    assert servers.run(instance, f"cat {_KEYS}") == (0, f"{_KEY}\n")
    assert servers.run(instance, f"stat -c %a:%u:%g {_KEYS} /root/.ssh /root")[1].split() == [
        "644:0:0",
        "755:0:0",
        "700:0:0",
    ]


def test_a_key_stays_over_a_hard_reboot(servers, boot):
    instance = boot(key=_KEY, docker_authorized_keys=_KEYS)
    servers.driver.reboot(servers.context, instance, [], "HARD")
    assert servers.run(instance, f"cat {_KEYS}") == (0, f"{_KEY}\n")


@pytest.mark.parametrize("key", [None, "-----BEGIN CERTIFICATE-----\n"])
def test_a_server_without_a_key_for_ssh_has_no_such_file(servers, boot, key):
    instance = boot(key=key, docker_authorized_keys=_KEYS)
    assert servers.run(instance, f"ls {_KEYS}")[0] != 0


def test_a_folder_that_the_image_lacks_is_reported(servers, boot):
    with pytest.raises(exception.ImageUnacceptable, match="needs a folder /home/nobody"):
        boot(key=_KEY, docker_authorized_keys="/home/nobody/.ssh/authorized_keys")
    assert servers.client.containers.list(all=True) == []


def test_a_root_that_is_read_only_has_places_to_write(servers, boot):
    instance = boot(docker_read_only="true")
    assert servers.run(instance, "touch /etc/x /bin/x")[0] != 0
    assert servers.run(instance, "touch /tmp/x /run/x") == (0, "")


@pytest.fixture
def boot_with_link(servers, glance, archive, image):
    """Boots a server with a key, whose image has a link on the way to the file for it."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        root = opened.extractfile("layer.tar").read()

    def boot(name, target):
        uploaded = image({}, [root, archives.tar({name: f"->{target}".encode()})])
        record = glance.images[uploaded.id][0]
        record["properties"] = {"docker_authorized_keys": _KEYS}
        servers.image = objects.ImageMeta.from_dict(record)
        instance = servers.instance(key_data=_KEY)
        servers.spawn(instance, servers.image)
        return instance

    return boot


@pytest.mark.parametrize("way", ["{}", "../../../../../..{}"])
def test_a_link_of_the_image_leads_to_no_file_of_the_host(servers, boot_with_link, tmp_path, way):
    instance = boot_with_link("root/.ssh", way.format(tmp_path))
    assert list(tmp_path.glob("authorized_keys")) == []
    assert servers.run(instance, f"cat {_KEYS}") == (0, f"{_KEY}\n")


def test_a_link_in_place_of_the_file_is_replaced(servers, boot_with_link):
    instance = boot_with_link("root/.ssh/authorized_keys", "/etc/passwd")
    assert servers.run(instance, f"cat {_KEYS}") == (0, f"{_KEY}\n")
    assert "root:x" in servers.run(instance, "cat /etc/passwd")[1]


_HOSTILE = {
    "privileged": "true",
    "docker_privileged": "true",
    "network_mode": "host",
    "docker_mounts": "/:/host",
    "docker_volumes": "/:/host:rw",
    "docker_environment": "",
    "cap_add": "ALL",
    "security_opt": "seccomp=unconfined",
    "pid_mode": "host",
    "hw_video_ram": "1",
    "long": "x" * 70_000,
    "../../../etc": "../../../etc,/,/dev/mem:/dev/mem:rwm",
}


def test_properties_that_nobody_serves_change_nothing(servers, boot):
    plain, hostile = (servers.container(boot(**more)).attrs for more in ({}, _HOSTILE))
    assert hostile["HostConfig"] == plain["HostConfig"]
    assert hostile["Config"]["Env"] == plain["Config"]["Env"]
    assert hostile["Mounts"] == plain["Mounts"] == []


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"docker_environment": "PATH"}, "no metadata may set"),
        ({"docker_environment": "A,B=C,D"}, "needs names of variables"),
        ({"docker_environment": "A," * 200}, "longer than 251 bytes"),
        ({"docker_authorized_keys": "/root/../etc/passwd"}, "needs the absolute path"),
        ({"docker_authorized_keys": "/proc/self/root/x"}, "needs the absolute path"),
        ({"docker_read_only": "rw"}, "needs true or false"),
        ({"os_command_line": "sh -c 'x"}, "No closing quotation"),
    ],
)
def test_a_property_of_another_form_is_a_fault_and_leaves_nothing(
    servers, boot, properties, reason
):
    with pytest.raises(exception.ImageUnacceptable, match=reason):
        boot(key=_KEY, **properties)
    assert servers.client.containers.list(all=True) == []


def test_a_line_break_in_the_environment_is_a_fault_and_leaves_nothing(servers, boot, glance):
    with pytest.raises(exception.BuildAbortException, match="line break"):
        boot({"MODE": "a\nPATH=/tmp"}, docker_environment="MODE")
    assert glance.downloads == 0
    assert servers.client.containers.list(all=True) == []


def test_an_image_gets_no_device_by_its_properties(servers, boot):
    assert devices.for_instance(boot(docker_devices="/dev/mem:/dev/fpga0,/dev/../etc")) == []
