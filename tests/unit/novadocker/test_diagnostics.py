# SPDX-License-Identifier: Apache-2.0
"""What the engine's figures mean for Nova, in both versions of control groups."""

import types

import pytest
from nova.objects import diagnostics as nova_diagnostics

from novadocker import diagnostics
from novadocker.network import interfaces, records

UUID = "11111111-2222-3333-4444-555555555555"
DISK = [
    {"major": 8, "minor": 0, "op": op, "value": value}
    for op, value in (("Read", 4096), ("Write", 512))
]
#: As Docker 20.10 answers on each, without what is not read.
FIGURES = {
    1: {
        "read": "2026-01-01T00:00:00Z",
        "cpu_stats": {
            "cpu_usage": {"total_usage": 27463913, "percpu_usage": [13, 27463900]},
            "system_cpu_usage": 5_000_000_000,
            "online_cpus": 2,
        },
        "precpu_stats": {
            "cpu_usage": {"total_usage": 2463913},
            "system_cpu_usage": 4_500_000_000,
        },
        "memory_stats": {"usage": 5 << 20, "stats": {"total_inactive_file": 2 << 20}},
        "pids_stats": {"current": 2},
        "blkio_stats": {"io_service_bytes_recursive": DISK, "io_serviced_recursive": DISK[:1]},
    },
    2: {
        "read": "2026-01-01T00:00:00Z",
        "cpu_stats": {"cpu_usage": {"total_usage": 27463913}},
        "memory_stats": {"usage": 5 << 20, "stats": {"inactive_file": 2 << 20}},
        "pids_stats": {"current": 2},
        "blkio_stats": {
            "io_service_bytes_recursive": [{**one, "op": one["op"].lower()} for one in DISK],
            "io_serviced_recursive": None,
        },
    },
}


class Containers:
    """One container, as the engine tells of it."""

    def __init__(self, figures, **state):
        self.figures = figures
        self.state = {"StartedAt": "2020-01-01T00:00:00.123456789Z", **state}

    def attributes(self, uuid):
        return {"State": self.state, "HostConfig": {"Memory": 64 << 20}}

    def statistics(self, uuid):
        return self.figures


@pytest.fixture(params=sorted(FIGURES))
def usage(request, config):
    return diagnostics.of(Containers(FIGURES[request.param]), UUID)


def test_memory_is_without_what_the_kernel_can_drop(usage):
    assert (usage.memory, usage.memory_limit) == (3 << 20, 64 << 20)


def test_processor_time_is_in_nanoseconds(usage):
    assert usage.cpu_time == 27463913


def test_utilisation_is_in_percent_of_one_processor(config):
    assert diagnostics.of(Containers(FIGURES[1]), UUID).utilisation == 10


def test_utilisation_is_not_known_from_one_sample(config, instance):
    usage = diagnostics.of(Containers(FIGURES[2]), UUID)
    (cpu,) = diagnostics.as_object(usage, instance, "running").cpu_details
    assert cpu.utilisation is None


def test_disks_are_counted_together(usage):
    assert (usage.disk["read_bytes"], usage.disk["write_bytes"]) == (4096, 512)


def test_requests_are_counted_where_the_engine_counts_them(config):
    first, second = (diagnostics.of(Containers(FIGURES[version]), UUID) for version in (1, 2))
    assert (first.disk["read_requests"], first.disk["write_requests"]) == (4096, 0)
    assert set(second.disk) == {"read_bytes", "write_bytes"}


def test_requests_that_are_not_counted_are_null_in_the_object(config, instance):
    usage = diagnostics.of(Containers(FIGURES[2]), UUID)
    (disk,) = diagnostics.as_object(usage, instance, "running").disk_details
    assert (disk.read_bytes, disk.read_requests) == (4096, None)


def test_the_object_goes_to_the_api_and_back(usage, instance):
    found = diagnostics.as_object(usage, instance, "running")
    again = nova_diagnostics.Diagnostics.obj_from_primitive(found.obj_to_primitive())
    assert (again.state, again.hypervisor, again.num_cpus) == ("running", "docker", 1)
    assert (again.memory_details.maximum, again.memory_details.used) == (64, 3)
    assert again.uptime > 0


def test_the_dictionary_has_the_words_of_libvirt(usage):
    found = diagnostics.as_dictionary(usage)
    assert (found["memory"], found["memory-used"]) == (64 << 10, 3 << 10)
    assert found["cpu0_time"] == 27463913
    assert "health" not in found


def test_a_check_of_health_shows(config):
    figures = Containers(FIGURES[1], Health={"Status": "unhealthy"})
    assert diagnostics.as_dictionary(diagnostics.of(figures, UUID))["health"] == "unhealthy"


def test_what_the_engine_does_not_measure_is_not_zero(config, instance):
    unmeasured = {
        "read": "0001-01-01T00:00:00Z",
        "cpu_stats": {"cpu_usage": {"total_usage": 0}},
        "precpu_stats": {"cpu_usage": {"total_usage": 0}},
        "memory_stats": {},
        "pids_stats": {},
        "blkio_stats": {"io_service_bytes_recursive": None, "io_serviced_recursive": None},
    }
    usage = diagnostics.of(Containers(unmeasured), UUID)
    assert set(diagnostics.as_dictionary(usage)) == {"memory", "uptime"}
    found = diagnostics.as_object(usage, instance, "running")
    assert (found.memory_details.used, found.cpu_details[0].time) == (None, None)
    assert found.disk_details[0].read_bytes is None


@pytest.fixture
def port(config, monkeypatch, tmp_path):
    """A port whose interface on the host received 7 bytes and sent 5."""
    monkeypatch.setattr(diagnostics, "_INTERFACES", tmp_path)
    monkeypatch.setattr(interfaces, "of", lambda vif: types.SimpleNamespace(host="tap1"))
    monkeypatch.setattr(records, "of", lambda uuid: {"eth0": {"address": "fa:16:3e:00:00:01"}})
    folder = tmp_path / "tap1" / "statistics"
    folder.mkdir(parents=True)
    for direction, count in (("rx", 7), ("tx", 5)):
        for counter in ("bytes", "packets", "errors", "dropped"):
            (folder / f"{direction}_{counter}").write_text(f"{count}\n")
    return folder


def test_the_container_sent_what_its_host_received(port, instance):
    usage = diagnostics.of(Containers(FIGURES[1]), UUID)
    assert diagnostics.as_dictionary(usage)["eth0_rx"] == 5
    (nic,) = diagnostics.as_object(usage, instance, "running").nic_details
    assert (nic.mac_address, nic.tx_octets, nic.rx_octets) == ("fa:16:3e:00:00:01", 7, 5)


def test_an_interface_that_is_gone_has_no_counters(port, instance):
    port.rename(port.with_name("gone"))
    usage = diagnostics.of(Containers(FIGURES[1]), UUID)
    assert diagnostics.as_object(usage, instance, "running").num_nics == 1
