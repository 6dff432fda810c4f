# SPDX-License-Identifier: Apache-2.0
"""Names and addresses of local hosts, their record, and the files that say where they are."""

import dataclasses
import json
import pathlib
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_hosts import keys, memory, model, report, services, store, texts
from local_hosts.model import Host, LocalHostsError, Request, Site

NETWORK = model.network(model.SUBNET)
SITE = model.extend(Site(NETWORK), model.default_requests(3), "bookworm")

HOSTS = st.builds(
    Host,
    st.integers(1, 999),
    st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.sampled_from(model.SUITES),
    st.booleans(),
)
SITES = st.builds(
    Site,
    st.just(NETWORK),
    st.just("root"),
    st.lists(st.builds(model.Share, st.text(), st.text(), st.none() | st.text())).map(tuple),
    st.lists(HOSTS, unique_by=lambda host: host.number).map(tuple),
)

OTHERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
)


class TestNetwork:
    @pytest.mark.parametrize(
        "text", ["10.77.0.0", "10.77.0.1/24", "x", "10.0.0.0/28", "8.8.8.0/24"]
    )
    def test_what_is_not_a_private_network_with_room_is_refused(self, text: str) -> None:
        with pytest.raises(LocalHostsError, match=r"^--subnet"):
            model.network(text)

    def test_machine_router_and_name_server_have_the_first_addresses(self) -> None:
        found = (NETWORK.machine, NETWORK.router, NETWORK.nameserver, NETWORK.address(1))
        assert found == ("10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.11")

    def test_network_that_is_full_is_refused(self) -> None:
        small = model.network("10.0.0.0/27")
        assert small.address(20) == "10.0.0.30"
        with pytest.raises(LocalHostsError, match="too small for host 21"):
            small.address(21)


class TestRequests:
    def test_number_gives_a_controller_and_compute_hosts(self) -> None:
        assert [one.name for one in SITE.hosts] == ["controller", "compute1", "compute2"]
        assert [one.address for one in SITE.hosts] == ["10.77.0.11", "10.77.0.12", "10.77.0.13"]

    @pytest.mark.parametrize("count", [0, -1, 1000])
    def test_number_out_of_bounds_is_refused(self, count: int) -> None:
        with pytest.raises(LocalHostsError):
            model.default_requests(count)

    @pytest.mark.parametrize(
        "text", ["", "A", "a_b", "-a", "a-", "localhost", "machine", "a.b", "a" * 64, "a=", "a=1"]
    )
    def test_bad_host_is_refused(self, text: str) -> None:
        with pytest.raises(LocalHostsError):
            model.request(text)

    @given(st.text())
    def test_any_text_is_a_host_or_refused(self, text: str) -> None:
        try:
            found = model.request(text)
        except LocalHostsError:
            return
        assert re.fullmatch(r"[a-z0-9-]+", found.name)


class TestExtension:
    def test_hosts_that_are_there_stay_as_they_are(self) -> None:
        again = model.extend(SITE, model.default_requests(4), "trixie")
        assert again.hosts[:3] == SITE.hosts
        assert again.hosts[3] == Host(4, "compute3", "10.77.0.14", "trixie")

    def test_same_hosts_again_change_nothing(self) -> None:
        assert model.extend(SITE, model.default_requests(3), "bookworm") == SITE

    def test_free_address_is_one_that_nobody_has_or_gets(self) -> None:
        asked = [Request("one"), Request("two", "10.77.0.11"), Request("three")]
        found = model.extend(Site(NETWORK), asked, "bookworm")
        assert [h.address for h in found.hosts] == ["10.77.0.12", "10.77.0.11", "10.77.0.13"]

    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            ([Request("a"), Request("a")], "a is given 2 times"),
            ([Request("a", "10.77.0.20"), Request("b", "10.77.0.20")], "10.77.0.20 is given 2"),
            ([Request("a", "10.78.0.1")], "a: 10.78.0.1 is not in 10.77.0.0/24"),
            ([Request("a", "10.77.0.2")], "a: 10.77.0.2 is reserved"),
            ([Request("a", "10.77.0.255")], "a: 10.77.0.255 is reserved"),
            ([Request("a", "10.77.0.12")], "a: compute1 has 10.77.0.12"),
            ([Request("compute1", "10.77.0.30")], "compute1 has 10.77.0.12, and keeps it"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, asked: list[Request], reason: str) -> None:
        with pytest.raises(LocalHostsError, match=re.escape(reason)):
            model.extend(SITE, asked, "bookworm")

    def test_all_reasons_are_given_at_once(self) -> None:
        asked = [Request("a", "10.77.0.1"), Request("b", "1.2.3.4")]
        with pytest.raises(LocalHostsError) as refusal:
            model.extend(SITE, asked, "bookworm")
        assert len(str(refusal.value).splitlines()) == 2

    def test_unknown_suite_is_refused(self) -> None:
        with pytest.raises(LocalHostsError, match="bookworm, trixie"):
            model.extend(SITE, [], "sid")


class TestCommon:
    def test_first_hosts_get_what_is_asked_for(self) -> None:
        share = model.Share("/opt", "/srv", "a")
        common = model.Common(model.network("10.9.0.0/24"), "stack", (share,))
        site = model.settle(None, common)
        assert (str(site.network.subnet), site.user, site.shares) == (
            "10.9.0.0/24",
            "stack",
            (share,),
        )

    def test_call_without_wishes_takes_what_there_is(self) -> None:
        site = dataclasses.replace(SITE, user="stack")
        assert model.settle(site, model.Common()) == site
        assert model.settle(site, model.Common(user="stack")) == site

    @pytest.mark.parametrize(
        ("common", "name"),
        [
            (model.Common(network=model.network("10.9.0.0/24")), "network"),
            (model.Common(user="stack"), "user"),
            (model.Common(shares=(model.Share("/opt", "/opt"),)), "shares"),
        ],
    )
    def test_change_under_hosts_is_refused(self, common: model.Common, name: str) -> None:
        with pytest.raises(LocalHostsError, match=f"another {name}: run 'down' first"):
            model.settle(SITE, common)


class TestShare:
    def test_host_that_may_write_is_the_only_one(self) -> None:
        share = model.Share("/opt", "/srv", "controller")
        assert [share.bind(name) for name in ("controller", "compute1")] == [
            "/opt:/srv:rw",
            "/opt:/srv:ro",
        ]

    def test_path_and_host_can_be_left_out(self, tmp_path: pathlib.Path) -> None:
        folder = str(tmp_path)
        assert model.share(folder) == model.Share(folder, folder)
        assert model.share(f"{folder}:/srv") == model.Share(folder, "/srv")
        assert model.share(f"{folder}:/srv:a") == model.Share(folder, "/srv", "a")

    @pytest.mark.parametrize("rest", [":srv", ":/srv:a:b", ":/srv:A", "/missing", ":"])
    def test_what_is_no_share_is_refused(self, rest: str, tmp_path: pathlib.Path) -> None:
        with pytest.raises(LocalHostsError):
            model.share(f"{tmp_path}{rest}")

    def test_host_that_may_write_is_renamed_too(self) -> None:
        share = model.Share("/opt", "/srv", "compute1")
        site = model.rename(dataclasses.replace(SITE, shares=(share,)), "compute1", "fpga1")
        assert site.shares == (model.Share("/opt", "/srv", "fpga1"),)


class TestRename:
    def test_number_and_address_stay(self) -> None:
        found = model.rename(SITE, "compute1", "fpga1").find("fpga1")
        assert (found.number, found.address) == (2, "10.77.0.12")

    def test_name_of_another_host_is_refused(self) -> None:
        with pytest.raises(LocalHostsError, match="another host is called compute2"):
            model.rename(SITE, "compute1", "compute2")

    def test_same_name_again_changes_nothing(self) -> None:
        assert model.rename(SITE, "compute1", "compute1") == SITE

    def test_call_that_is_repeated_changes_nothing(self) -> None:
        once = model.rename(SITE, "compute1", "fpga1")
        assert model.rename(once, "compute1", "fpga1") == once

    def test_unknown_host_is_refused_with_those_that_there_are(self) -> None:
        with pytest.raises(LocalHostsError, match="controller, compute1, compute2"):
            model.rename(SITE, "compute9", "x")


class TestNames:
    def test_two_folders_have_different_names_on_the_machine(self) -> None:
        assert model.key_of(Path("/a")) != model.key_of(Path("/b"))

    def test_hardware_address_is_local_and_not_that_of_a_group(self) -> None:
        address = model.mac(Path("/a"), 1, "eth0")
        assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", address)
        assert address == model.mac(Path("/a"), 1, "eth0")
        assert address not in (model.mac(Path("/a"), 2, "eth0"), model.mac(Path("/a"), 1, "eth1"))


class TestRecord:
    @given(SITES)
    def test_record_is_read_as_it_was_written(self, site: Site) -> None:
        assert store.loads(store.dumps(site)) == site

    @given(
        st.text() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps)
    )
    def test_other_text_is_refused(self, text: str) -> None:
        with pytest.raises(LocalHostsError):
            store.loads(text)

    @pytest.mark.parametrize(
        "change",
        [
            {"version": 2},
            {"network": "x"},
            {"hosts": [{"number": 1}]},
            {"hosts": [{"number": "1", "name": "a", "address": "1.2.3.4", "suite": "x"}]},
            {"hosts": [{"number": 1, "name": "a", "address": "x", "suite": "x"}]},
            {"unknown": 1},
        ],
    )
    def test_damaged_record_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(LocalHostsError):
            store.loads(json.dumps(json.loads(store.dumps(SITE)) | change))

    def test_folder_with_other_files_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(LocalHostsError, match="not a folder of local hosts"):
            store.Store(tmp_path).prepare()
        assert [one.name for one in tmp_path.iterdir()] == ["file"]

    def test_record_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "hosts.json").write_text("{")
        with pytest.raises(LocalHostsError, match=re.escape(str(tmp_path / "hosts.json"))):
            store.Store(tmp_path).load()

    def test_folder_is_removed_with_all_that_is_in_it(self, tmp_path: Path) -> None:
        hosts = store.Store(tmp_path / "hosts")
        hosts.prepare()
        hosts.save(SITE)
        hosts.prepare()
        assert hosts.load() == SITE
        hosts.remove()
        assert not [*tmp_path.iterdir()]


class TestTexts:
    def test_each_host_knows_all_hosts_and_the_machine(self) -> None:
        lines = texts.hosts(SITE).splitlines()
        assert {"10.77.0.11 controller", "10.77.0.13 compute2", "10.77.0.1 machine"} < {*lines}

    def test_keys_are_known_by_name_and_address(self) -> None:
        keys_of = {host.number: f"ssh-ed25519 key{host.number} comment" for host in SITE.hosts}
        lines = texts.known_hosts(SITE, keys_of).splitlines()
        assert lines[1] == "compute1,10.77.0.12 ssh-ed25519 key2"

    def test_ssh_takes_the_configuration(self, tmp_path: Path) -> None:
        (tmp_path / "config").write_text(texts.ssh_config(SITE, tmp_path))
        command = ["ssh", "-F", str(tmp_path / "config"), "-G", "compute2"]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lines = {*shown.splitlines()}
        assert {"hostname 10.77.0.13", "user root", f"identityfile {tmp_path}/id_ed25519"} <= lines
        assert {"stricthostkeychecking true", f"userknownhostsfile {tmp_path}/known_hosts"} <= lines

    def test_inventory_reaches_each_host_by_the_same_configuration(self) -> None:
        found = texts.inventory(SITE, Path("/hosts/ssh"))
        assert [*found] == ["controller", "compute1", "compute2"]
        assert found["compute1"]["ansible_host"] == "10.77.0.12"
        assert found["compute1"]["ansible_ssh_common_args"] == "-F /hosts/ssh/config"

    def test_variable_of_two_lines_is_left_out(self) -> None:
        assert texts.environment({"b": "x=y", "a": "1\n2"}) == "b=x=y\n"


class TestKeys:
    def test_keys_are_made_once(self, tmp_path: Path) -> None:
        first = keys.make(tmp_path / "ssh/key", "comment")
        assert first.endswith(" comment\n") and keys.make(tmp_path / "ssh/key", "x") == first

    def test_pair_that_is_cut_short_is_made_anew(self, tmp_path: Path) -> None:
        first = keys.make(tmp_path / "key", "comment")
        (tmp_path / "key").unlink()
        (tmp_path / ".key.part").write_text("half")
        assert keys.make(tmp_path / "key", "comment") != first
        assert {one.name for one in tmp_path.iterdir()} == {"key", "key.pub"}


class TestServices:
    def test_sockets_with_a_path_that_is_too_long_are_refused(self) -> None:
        services.check_folder(Path("/var/lib/fpga-nova/hosts"))
        with pytest.raises(LocalHostsError, match="too long"):
            services.check_folder(Path("/" + "x" * 100))

    def test_engine_touches_neither_the_machines_network_nor_its_filters(self) -> None:
        names = {"driver": "vfs", "netns": "/n", "tap": "tap0", "cgroup": "/c"}
        every = {one["name"]: one for one in services.descriptions(Path("/h"), NETWORK, names)}
        assert [*every] == ["containerd", "dockerd", "slirp4netns"]
        options = {"--bridge=none", "--iptables=false", "--cgroup-parent=/c"}
        assert options < {*every["dockerd"]["command"]}
        assert all(one["log"] == f"/h/log/{name}.log" for name, one in every.items())


class TestMemory:
    def test_descendants_are_found_through_all_generations(self) -> None:
        parents = {2: 1, 3: 2, 4: 3, 5: 1, 6: 5}
        assert memory.descendants(parents, 2) == {2, 3, 4}

    def test_memory_of_all_descendants_is_summed(self, tmp_path: Path) -> None:
        for pid, parent, size in ((10, 1, 100), (11, 10, 20), (12, 1, 7)):
            folder = tmp_path / str(pid)
            folder.mkdir()
            (folder / "stat").write_text(f"{pid} (a) b) S {parent} 1")
            (folder / "smaps_rollup").write_text(
                f"Rss: 9 kB\nPss:      {size} kB\nPss_Anon: 1 kB\n"
            )
        assert memory.proportional(10, tmp_path) == 120 * 1024


class TestReport:
    STATUSES = (
        report.Status(
            "controller", "10.77.0.11", "bookworm", "running", "joined", "running", (), 100 << 20
        ),
        report.Status(
            "compute1", "10.77.0.12", "bookworm", "running", "cut", "degraded", ("a.service",), 0
        ),
        report.Status("compute2", "10.77.0.13", "bookworm", "exited", "unplugged", "", (), 0),
    )

    def test_table_fits_a_terminal(self) -> None:
        lines = report.table(self.STATUSES).splitlines()
        assert max(map(len, lines)) <= 80
        words = ["compute2", "10.77.0.13", "bookworm", "exited", "unplugged", "-", "0", "MiB"]
        assert lines[3].split() == words
        assert lines[4:] == ["compute1: failed units: a.service", "100 MiB together"]

    def test_json_has_the_same_hosts(self) -> None:
        found = json.loads(report.as_json(self.STATUSES))["hosts"]
        assert found[0]["memory"] == 100 << 20 and found[1]["failed"] == ["a.service"]


def test_host_with_the_longest_name_has_a_short_interface() -> None:
    host = Host(999, "x" * 63, "10.77.0.11", "bookworm")
    assert len(host.container) <= 15
