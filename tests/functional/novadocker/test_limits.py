# SPDX-License-Identifier: Apache-2.0
"""What a container may use, as the engine and the container itself see it."""

import os
import pathlib
import socket
import stat
import threading

import pytest
from nova import exception
from nova.network import model

from fpga_hooks.instance import devices
from novadocker import errors


def test_memory_and_processors_are_those_of_the_flavor(servers, config):
    config(pids_limit=100, group="docker")
    host = servers.container(servers.boot()).attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 << 20
    assert host["NanoCpus"] == 10**9
    assert host["PidsLimit"] == 100


def test_the_kernel_has_the_limits_of_the_extra_specs(servers):
    instance = servers.instance()
    instance.flavor.swap = 32
    instance.flavor.extra_specs = {
        "quota:cpu_quota": "25000",
        "quota:cpu_shares": "2048",
        "docker:pids_limit": "30",
    }
    servers.spawn(instance)
    host = servers.container(instance).attrs["HostConfig"]
    assert (host["NanoCpus"], host["CpuShares"]) == (250_000_000, 2048)
    assert (host["PidsLimit"], host["MemorySwap"]) == (30, 96 << 20)
    forks = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done"
    assert "can't fork" in servers.run(instance, forks)[1]


def test_a_flavor_of_more_processors_than_the_engine_has_gets_all_of_them(servers):
    instance = servers.instance()
    instance.flavor.vcpus = 1000
    servers.spawn(instance)
    limit = servers.container(instance).attrs["HostConfig"]["NanoCpus"]
    assert limit == servers.client.info()["NCPU"] * 10**9


def test_a_container_has_no_network_and_no_privileges(servers):
    instance = servers.boot()
    host = servers.container(instance).attrs["HostConfig"]
    assert host["Privileged"] is False
    assert host["NetworkMode"] == "none"
    assert host["SecurityOpt"] == ["no-new-privileges"]
    status = servers.run(instance, "grep -E 'Seccomp:|CapBnd:|NoNewPrivs:' /proc/1/status")[1]
    # Bits of capabilities(7): all of the option's default.
    assert status.split() == ["CapBnd:", "00000000a00405fb", "NoNewPrivs:", "1", "Seccomp:", "2"]
    assert servers.run(instance, "ls /sys/class/net")[1].split() == ["lo"]
    assert servers.run(instance, "mknod /tmp/mem c 1 1")[0] != 0


def test_a_crash_in_a_container_has_the_host_dump_no_core(servers):
    assert servers.run(servers.boot(), "ulimit -Hc") == (0, "0\n")


def test_the_container_has_the_name_of_its_server(servers):
    instance = servers.boot()
    assert servers.run(instance, "hostname") == (0, f"{instance.hostname}\n")
    labels = servers.container(instance).labels
    assert labels["org.openstack.nova.instance.uuid"] == instance.uuid
    assert labels["org.openstack.nova.instance.name"] == instance.display_name
    assert labels["org.openstack.nova.host"] == "host1"


@pytest.fixture
def region(tmp_path, monkeypatch):
    """Set the devices of the instance's region; fpga-cli is stood in for."""

    def has(*found):
        monkeypatch.setattr(devices, "for_instance", lambda instance: list(found))

    return has


@pytest.fixture
def char_device(tmp_path):
    node = tmp_path / "card0"
    os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    return devices.Device("char", str(node), "/dev/fpga0")


@pytest.fixture
def echo(tmp_path):
    """A region behind a socket, whose function is to give back what it gets."""
    path = tmp_path / "region"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen()

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                taken = b""
                while part := connection.recv(65536):
                    taken += part
                connection.sendall(taken)

    threading.Thread(target=serve, daemon=True).start()
    yield devices.Device("socket", str(path), "/dev/fpga0")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_plain_container_sees_no_device_of_the_host(servers):
    names = servers.run(servers.boot(), "ls /dev")[1].split()
    expected = {"fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm"}
    assert set(names) - {"core"} == expected | {
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
    }


def test_a_character_device_can_be_read_and_no_other(servers, region, char_device):
    region(char_device)
    instance = servers.boot()
    code, output = servers.run(instance, "head -c 3 /dev/fpga0 | hexdump -C | head -1")
    assert (code, output.split()[1:4]) == (0, ["00", "00", "00"])
    listed = servers.container(instance).attrs["HostConfig"]["Devices"]
    assert [node["PathInContainer"] for node in listed] == ["/dev/fpga0"]
    assert listed[0]["CgroupPermissions"] == "rw"


def test_a_region_behind_a_socket_is_used_by_the_client(servers, region, echo):
    region(echo)
    instance = servers.boot()
    line = "head -c 3000000 /dev/urandom > /tmp/in; fpga-client /dev/fpga0 < /tmp/in > /tmp/out"
    assert servers.run(instance, f"{line} && cmp /tmp/in /tmp/out") == (0, "")


def test_the_client_takes_an_empty_answer_for_an_empty_input_only(servers, region, echo):
    region(echo)
    instance = servers.boot()
    assert servers.run(instance, "fpga-client /dev/fpga0 < /dev/null") == (0, "")
    rude = "(sleep 1; echo x) | fpga-client /dev/fpga0"
    assert servers.run(instance, rude) == (0, "x\n")


def test_the_client_says_what_is_wrong(servers):
    instance = servers.boot()
    code, output = servers.run(instance, "fpga-client /dev/fpga0 < /dev/null")
    assert code == 1
    assert "cannot reach /dev/fpga0: No such file" in output
    assert servers.run(instance, "fpga-client")[0] == 2


def test_a_pipe_is_passed(servers, region, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    region(devices.Device("pipe", str(pipe), "/dev/fpga-out"))
    assert servers.run(servers.boot(), "test -p /dev/fpga-out") == (0, "")


def test_a_pipe_is_written_and_read_but_not_changed(servers, region, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    region(devices.Device("pipe", str(pipe), "/dev/fpga-out"))
    instance = servers.boot()
    reader = os.open(pipe, os.O_RDWR)
    try:
        assert servers.run(instance, "echo hello > /dev/fpga-out") == (0, "")
        assert os.read(reader, 100) == b"hello\n"
        os.write(reader, b"answer\n")
        assert servers.run(instance, "head -n 1 /dev/fpga-out") == (0, "answer\n")
    finally:
        os.close(reader)
    _cannot_be_changed(servers, instance, pipe, "/dev/fpga-out")


def test_a_socket_is_used_but_not_changed(servers, region, echo):
    region(echo)
    instance = servers.boot()
    line = "echo hello | fpga-client /dev/fpga0"
    assert servers.run(instance, line) == (0, "hello\n")
    _cannot_be_changed(servers, instance, pathlib.Path(echo.host_path), "/dev/fpga0")
    assert servers.run(instance, line) == (0, "hello\n")


def _cannot_be_changed(servers, instance, path, inside):
    """Root in the container changes nothing of the host's file."""
    before = path.stat()
    for command in ("chmod 0", "chown 1000:1000", "touch", "rm -f"):
        assert servers.run(instance, f"{command} {inside}")[0] != 0, command
    remount = f"mount -o remount,rw,bind {inside}"
    assert servers.run(instance, remount)[0] != 0
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert after.st_mtime_ns >= before.st_mtime_ns


def test_a_device_path_with_colons_reaches_the_container(servers, region, tmp_path):
    node = tmp_path / "pci-0000:01:00.0:rwm"
    os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    region(devices.Device("char", str(node), "/dev/fpga0"))
    instance = servers.boot()
    assert servers.run(instance, "head -c 1 /dev/fpga0 | wc -c") == (0, "1\n")
    listed = servers.container(instance).attrs["HostConfig"]["Devices"]
    assert [node["CgroupPermissions"] for node in listed] == ["rw"]


def test_a_missing_device_is_refused_and_leaves_nothing(servers, region, tmp_path):
    region(devices.Device("socket", str(tmp_path / "gone"), "/dev/fpga0"))
    instance = servers.instance()
    with pytest.raises(errors.BadDevice, match="gone of the FPGA region is not there"):
        servers.spawn(instance)
    assert servers.client.containers.list(all=True) == []


def test_a_device_of_another_kind_is_refused(servers, region, tmp_path):
    pathlib.Path(tmp_path, "file").touch()
    region(devices.Device("char", str(tmp_path / "file"), "/dev/fpga0"))
    with pytest.raises(errors.BadDevice, match="is not a char device"):
        servers.spawn(servers.instance())


def test_a_start_keeps_the_devices(servers, region, echo, char_device):
    region(echo)
    instance = servers.boot()
    servers.driver.reboot(servers.context, instance, [], "HARD")
    line = "echo again | fpga-client /dev/fpga0"
    assert servers.run(instance, line) == (0, "again\n")


def test_a_container_does_not_start_with_devices_that_are_not_its_own_any_more(
    servers, region, echo
):
    region(echo)
    instance = servers.boot()
    servers.driver.power_off(instance)
    region()
    with pytest.raises(exception.InstancePowerOnFailure, match="rebuild"):
        servers.driver.power_on(servers.context, instance, [])
    assert servers.container(instance).status == "exited"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"network_info": [model.VIF(id="port", type="unbound")]}, "port port is not bound"),
        ({"injected_files": [("/etc/motd", b"hello")]}, "injected"),
        (
            {"block_device_info": {"block_device_mapping": [{"mount_device": "/dev/vdb"}]}},
            "no volumes",
        ),
    ],
)
def test_what_is_not_served_is_refused_before_anything_is_made(servers, glance, arguments, reason):
    with pytest.raises(exception.BuildAbortException, match=reason):
        servers.spawn(servers.instance(), **arguments)
    assert glance.downloads == 0
    assert servers.client.containers.list(all=True) == []


def test_an_engine_without_quotas_is_not_asked_for_one(servers, caplog):
    instance = servers.boot()
    assert not servers.container(instance).attrs["HostConfig"].get("StorageOpt")
    servers.driver.init_host("host1")
    assert "Nothing limits what a container writes: storage driver over" in caplog.text
