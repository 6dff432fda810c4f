# SPDX-License-Identifier: Apache-2.0
"""What the engine is asked for."""

import os
import stat

import pytest
from nova import exception, objects

from fpga_hooks.instance.devices import Device
from novadocker import errors, request


@pytest.fixture
def image(config):
    def make(**properties):
        properties = objects.ImageMetaProps.from_dict(properties)
        return objects.ImageMeta(id="i", properties=properties)

    return make


def _options(instance, *passed, joined=None):
    return request.container_options(instance, "sha256:1", None, passed, joined)


def test_the_first_process_of_a_container_reaps_others(config, instance):
    assert _options(instance)["init"] is True


def test_a_container_without_ports_has_no_network(config, instance):
    assert _options(instance)["network_mode"] == "none"


def test_a_container_that_joins_a_network_has_the_host_name_of_that(config, instance):
    options = _options(instance, joined="sandbox")
    assert options["network_mode"] == "container:sandbox"
    assert "hostname" not in options


@pytest.mark.parametrize(
    ("mode", "expected"), [("none", False), ("container:x", True), ("default", False)]
)
def test_a_container_tells_whether_it_joined_a_network(mode, expected):
    assert request.joins_a_network({"HostConfig": {"NetworkMode": mode}}) is expected


def test_devices_are_passed_by_kind(config, instance):
    options = _options(
        instance,
        Device("char", "/dev/xdma0", "/dev/fpga0"),
        Device("block", "/dev/sdz", "/dev/fpga1"),
        Device("socket", "/run/r", "/dev/fpga2"),
        Device("pipe", "/run/p", "/dev/fpga3"),
    )
    assert options["devices"] == [
        {"PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": "rw"}
        for host, inside in [("/dev/xdma0", "/dev/fpga0"), ("/dev/sdz", "/dev/fpga1")]
    ]
    mounts = [(m["Source"], m["Target"], m["Type"], m["ReadOnly"]) for m in options["mounts"]]
    assert mounts == [
        ("/run/r", "/dev/fpga2", "bind", True),
        ("/run/p", "/dev/fpga3", "bind", True),
    ]


def test_a_path_with_colons_is_one_path(config, instance):
    options = _options(instance, Device("char", "/dev/pci-0000:01:00.0", "/dev/fpga0"))
    assert options["devices"][0]["PathOnHost"] == "/dev/pci-0000:01:00.0"
    assert options["devices"][0]["CgroupPermissions"] == "rw"


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("dcr1", "dcr1"),
        ("a" * 64, "a" * 64),
        ("web.example.org", "web.example.org"),
        ("web-1." + "x" * 60, "web-1"),
        ("a" * 63 + ".example.org", "a" * 63),
        ("a" * 62 + "-b.example.org", "a" * 62),
        ("a" * 70, "a" * 63),
        ("-." + "x" * 70, "11111111-2222-3333-4444-555555555555"),
        ("", "11111111-2222-3333-4444-555555555555"),
    ],
)
def test_a_host_name_is_one_that_linux_takes(config, instance, hostname, expected):
    instance.hostname = hostname
    assert _options(instance)["hostname"] == expected


def test_an_instance_without_a_region_gets_no_devices(config, instance):
    options = _options(instance)
    assert options["devices"] == options["mounts"] == []


OPENCL = Device("socket", "/run/r", "/dev/opencl0")


def test_a_region_of_opencl_comes_with_library_loader_and_icd(config, instance):
    config(opencl_folder="/opt/cl", group="docker")
    mounts = _options(instance, OPENCL)["mounts"]
    assert [(m["Source"], m["Target"], m["Type"], m["ReadOnly"]) for m in mounts] == [
        ("/run/r", "/dev/opencl0", "bind", True),
        ("/opt/cl/libfpga-opencl.so", "/usr/lib/fpga-nova/libfpga-opencl.so", "bind", True),
        ("/opt/cl/libOpenCL.so.1", "/usr/lib/libOpenCL.so.1", "bind", True),
        ("/opt/cl/fpga-nova.icd", "/etc/OpenCL/vendors/fpga-nova.icd", "bind", True),
    ]


@pytest.mark.parametrize(
    ("folder", "device"),
    [
        (None, OPENCL),
        ("/opt/cl", Device("socket", "/run/r", "/dev/fpga0")),
        ("/opt/cl", Device("char", "/dev/x", "/dev/opencl0")),
    ],
)
def test_other_containers_have_no_files_of_opencl(config, instance, folder, device):
    config(opencl_folder=folder, group="docker")
    mounts = _options(instance, device)["mounts"]
    assert all(mount["Target"].startswith("/dev/") for mount in mounts)


def test_files_of_opencl_are_no_devices(config, instance):
    config(opencl_folder="/opt/cl", group="docker")
    attributes = {"HostConfig": {"Mounts": _options(instance, OPENCL)["mounts"]}}
    assert request.devices_in(attributes) == {("/run/r", "/dev/opencl0")}


def test_the_devices_of_a_container_are_found_whatever_their_kind():
    attributes = {
        "HostConfig": {
            "Devices": [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/fpga0"}],
            "Mounts": [{"Source": "/run/b", "Target": "/dev/fpga1", "Type": "bind"}],
        }
    }
    assert request.devices_in(attributes) == {("/dev/a", "/dev/fpga0"), ("/run/b", "/dev/fpga1")}
    assert request.devices_in({"HostConfig": {"Devices": None}}) == set()


@pytest.mark.parametrize("target", ["/run/openstack", "/run/fpga-nova/clone.json"])
def test_a_file_of_nova_computes_is_no_device(target):
    mounts = [{"Source": "/x", "Target": target, "Type": "bind"}]
    assert request.devices_in({"HostConfig": {"Mounts": mounts}}) == set()


def test_the_command_of_the_image_is_left_alone(image):
    assert request.command_of(image(), {"Cmd": ["sh"]}) is None
    assert request.command_of(image(), {"Entrypoint": ["sh"]}) is None


def test_os_command_line_is_split_as_a_shell_does(image):
    found = request.command_of(image(os_command_line="sh -c 'a b'"), {"Cmd": ["x"]})
    assert found == ["sh", "-c", "a b"]


def test_a_command_line_that_cannot_be_split_is_refused(image):
    with pytest.raises(exception.ImageUnacceptable, match="No closing quotation"):
        request.command_of(image(os_command_line="sh -c 'a"), {})


def test_an_image_without_any_command_is_refused(image):
    with pytest.raises(exception.ImageUnacceptable, match="os_command_line"):
        request.command_of(image(), {"Cmd": None})


@pytest.mark.parametrize("kind", ["socket", "pipe", "char", "block"])
def test_a_device_of_another_kind_is_refused(tmp_path, kind):
    (tmp_path / "file").touch()
    with pytest.raises(errors.BadDevice, match=f"is not a {kind} device"):
        request.check_devices([Device(kind, str(tmp_path / "file"), "/dev/fpga0")])


def test_a_device_that_is_there_is_accepted(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    request.check_devices([Device("pipe", str(tmp_path / "pipe"), "/dev/fpga0")])


def test_a_device_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(errors.BadDevice, match="No such file"):
        request.check_devices([Device("char", str(tmp_path / "gone"), "/dev/fpga0")])


def test_nothing_special_is_accepted(instance):
    request.check(instance, [], {"block_device_mapping": []})
    request.check(instance, None, None)


def test_what_the_flavor_cannot_have_is_refused(instance):
    instance.flavor.memory_mb = 5
    with pytest.raises(errors.NotServed, match="needs 6 MB of memory"):
        request.check(instance, None, None)
