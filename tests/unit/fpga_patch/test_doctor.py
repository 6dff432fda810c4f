# SPDX-License-Identifier: Apache-2.0
"""The doctor names what a host lacks; --configure writes it, revert removes it."""

import dataclasses
import http.server
import json
import os
import pathlib
import stat
import subprocess
import sys
import threading
import typing

import nova  # noqa: F401 - the doctor looks for it where the tests run
import pytest
import sqlalchemy as sa

from fpga_manage import database
from fpga_patch import releases
from fpga_patch.doctor import Finding, Settings, cells, compute, controller, names, services
from fpga_patch.doctor.settings import DRIVER
from novadocker import request
from tests.unit.fpga_patch.tree import Tree

FILTERS = "ComputeFilter,FpgaFilter"
SCHEDULER = (
    "[filter_scheduler]\navailable_filters = nova.scheduler.filters.all_filters\n"
    f"available_filters = scheduler_filters.fpga_filter.FpgaFilter\nenabled_filters = {FILTERS}\n"
)


@dataclasses.dataclass
class Host:
    """A folder of Nova's configuration."""

    etc: pathlib.Path

    def settings(self, *texts: str) -> Settings:
        """Nova's configuration with this in nova.conf; Nova is the one of this interpreter."""
        rootwrap = f"rootwrap_config = {self.etc}/rootwrap.conf\n"
        self.write("nova.conf", "[DEFAULT]\n" + rootwrap + "\n".join(texts))
        return Settings(releases.find_nova(None), self.etc)

    def write(self, name: str, text: str) -> pathlib.Path:
        """Make a file there."""
        path = self.etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    host_folder = Host(tmp_path / "etc")
    host_folder.write(
        "rootwrap.conf",
        f"[DEFAULT]\nfilters_path={host_folder.etc}/rootwrap.d\nexec_dirs={host_folder.etc}/bin,/nowhere\n",
    )
    (host_folder.etc / "rootwrap.d").mkdir()
    return host_folder


def levels(found: list[Finding]) -> list[str]:
    return [one.level for one in found]


def remedy(found: list[Finding]) -> str:
    assert levels(found) == ["missing"]
    assert found[0].remedy is not None
    return found[0].remedy


def test_scheduler_with_fpga_filter_is_well(host: Host) -> None:
    assert levels(controller.filters(host.settings(SCHEDULER))) == ["ok"]


def test_scheduler_without_fpga_filter_lacks_two_lines(host: Host) -> None:
    assert levels(controller.filters(host.settings())) == ["missing", "missing"]


def test_filters_that_are_set_are_kept_and_named_with_their_file(host: Host) -> None:
    text = SCHEDULER.replace(FILTERS, "ComputeFilter,NUMATopologyFilter")
    line = remedy(controller.filters(host.settings(text)))
    assert line.startswith(f"{host.etc}/nova.conf, [filter_scheduler]: ")
    assert line.endswith("enabled_filters = ComputeFilter,NUMATopologyFilter,FpgaFilter")


def test_filters_that_are_not_set_are_those_of_the_release(host: Host) -> None:
    found = controller.filters(host.settings())
    assert found[1].remedy is not None
    assert "ComputeCapabilitiesFilter,ImagePropertiesFilter" in found[1].remedy


def test_drop_in_is_read(host: Host) -> None:
    host.write("nova.conf.d/fpga-nova.conf", SCHEDULER)
    assert levels(controller.filters(host.settings())) == ["ok"]


def test_entry_points_of_this_package_can_be_loaded(host: Host) -> None:
    settings = host.settings()
    assert levels(controller.extra_specs(settings) + compute.hooks(settings)) == ["ok", "ok"]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("[placement]\nallocation_conflict_retry_count = 1\n", "ok"),
        ("[placement]\nallocation_conflict_retry_count = 10\n", "warning"),
        ("", "warning"),
        ("[placement]\nallocation_conflict_retry_count = many\n", "skipped"),
        (None, "skipped"),
    ],
)
def test_placement_that_retries_itself_is_warned_of(
    host: Host, text: str | None, level: str
) -> None:
    if text is not None:
        host.write("../placement/placement.conf", text)
    (found,) = controller.placement(host.settings())
    assert found.level == level
    assert "allocation_conflict_retry_count" in f"{found.text} {found.remedy}"


def test_drop_in_of_placement_is_read(host: Host) -> None:
    host.write("../placement/placement.conf", "")
    text = "[placement]\nallocation_conflict_retry_count = 1\n"
    host.write("../placement/placement.conf.d/fpga-nova.conf", text)
    assert levels(controller.placement(host.settings())) == ["ok"]


def test_file_that_nova_compute_reads_by_its_name_counts(host: Host) -> None:
    host.write("nova-compute.conf", f"[DEFAULT]\ncompute_driver = {DRIVER}\n")
    assert levels(compute.driver(host.settings())) == ["ok"]


def test_another_driver_is_reported_with_the_file_that_sets_it(host: Host) -> None:
    line = remedy(compute.driver(host.settings("compute_driver = fake.FakeDriver")))
    assert line == f"{host.etc}/nova.conf, [DEFAULT]: compute_driver = {DRIVER}"


def test_access_that_is_off_is_reported(host: Host) -> None:
    line = remedy(compute.access(host.settings()))
    assert line == f"{host.etc}/nova.conf.d/fpga-nova.conf, [fpga]: access = True"


def test_name_of_2016_turns_access_on(host: Host) -> None:
    assert levels(compute.access(host.settings("fpga_access = True"))) == ["ok"]


def test_missing_filters_of_rootwrap_are_reported(host: Host) -> None:
    assert remedy(compute.filters_file(host.settings())).endswith(f"{host.etc}/rootwrap.d/")


def test_filters_of_rootwrap_that_were_changed_are_warned_of(host: Host) -> None:
    text = compute.FILTERS.read_text().replace("[0-9a-f]{12}", ".*")
    host.write("rootwrap.d/fpga.filters", text)
    assert levels(compute.filters_file(host.settings())) == ["warning"]


def test_filters_of_rootwrap_as_shipped_are_well(host: Host) -> None:
    host.write("rootwrap.d/fpga.filters", compute.FILTERS.read_text())
    assert levels(compute.filters_file(host.settings())) == ["ok"]


def test_program_outside_exec_dirs_is_reported(host: Host) -> None:
    found = compute.program(host.settings())
    assert f"in none of rootwrap's exec_dirs ({host.etc}/bin, /nowhere)" in found[0].text


def _program(host: Host, simulated: bool) -> pathlib.Path:
    status = {"total": 2, "used": 1, "regions": [{"simulated": simulated}]}
    path = host.write("bin/fpga-cli.py", f"#!/bin/sh\necho '{json.dumps(status)}'\n")
    path.chmod(0o755)
    return path


def test_program_that_others_may_change_is_reported(host: Host) -> None:
    path = _program(host, simulated=False)
    path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IWOTH)
    assert "chmod go-w" in remedy(compute.program(host.settings()))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the program")
@pytest.mark.parametrize(
    ("simulated", "mode", "level"),
    [(False, "False", "ok"), (True, "True", "ok"), (True, "False", "missing")],
)
def test_simulated_regions_need_simulation_mode(
    host: Host, simulated: bool, mode: str, level: str
) -> None:
    _program(host, simulated)
    assert levels(compute.program(host.settings(f"[fpga]\nsimulation_mode = {mode}"))) == [level]


def test_absent_socket_of_the_engine_is_reported(host: Host) -> None:
    settings = host.settings(f"[docker]\nhost_url = unix://{host.etc}/docker.sock")
    assert remedy(compute.docker(settings)) == "install and start the Docker Engine"


class _Engine(http.server.BaseHTTPRequestHandler):
    """Answers as a Docker Engine whose containers have these labels."""

    hosts: typing.ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """The version of the API, or else the containers."""
        listed = [{"Id": name, "Labels": {names.LABEL: name}} for name in self.hosts]
        answer = {"ApiVersion": "1.41"} if self.path == "/version" else listed
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def engine() -> typing.Iterator[str]:
    """The address of an engine."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()


def _named(host: Host, engine: str) -> Settings:
    return host.settings("host = fpga1", f"[docker]\nhost_url = {engine}")


def test_containers_of_a_host_with_another_name_ask_for_that_name(
    host: Host, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Engine, "hosts", ["compute1", "fpga1", "compute1"])
    found = names.former(_named(host, engine))
    assert remedy(found) == f"{host.etc}/nova.conf, [DEFAULT]: host = compute1"
    assert "2 of its containers are of host compute1" in found[0].text


@pytest.mark.parametrize("hosts", [[], ["fpga1"]])
def test_host_without_containers_of_another_name_is_well(
    host: Host, engine: str, monkeypatch: pytest.MonkeyPatch, hosts: list[str]
) -> None:
    monkeypatch.setattr(_Engine, "hosts", hosts)
    assert levels(names.former(_named(host, engine))) == ["ok"]


def test_name_is_not_judged_while_the_engine_does_not_answer(host: Host) -> None:
    assert levels(names.former(_named(host, f"unix://{host.etc}/docker.sock"))) == ["skipped"]


def test_label_is_the_one_that_novadocker_gives() -> None:
    assert names.LABEL == request.LABEL_HOST


def _database(host: Host) -> str:
    url = f"sqlite:///{host.etc}/nova.sqlite"
    with sa.create_engine(url).begin() as connection:
        for table in ("instances", "shadow_instances", "compute_nodes", "shadow_compute_nodes"):
            connection.execute(sa.text(f"CREATE TABLE {table} (id INTEGER)"))
        connection.execute(sa.text("CREATE TABLE cell_mappings (name, database_connection)"))
    return url


def test_columns_are_asked_for_in_every_cell(host: Host) -> None:
    url = _database(host)
    with sa.create_engine(url).begin() as connection:
        rows = f"('cell0', '{url}'), ('cell1', '{url}')"
        connection.execute(sa.text(f"INSERT INTO cell_mappings VALUES {rows}"))
    settings = host.settings(f"[api_database]\nconnection = {url}\n")
    assert levels(cells.columns(settings)) == ["missing", "missing"]
    database.upgrade(sa.create_engine(url))
    assert levels(cells.columns(settings)) == ["ok", "ok"]


def test_database_that_cannot_be_read_is_reported(host: Host) -> None:
    found = cells.columns(host.settings("[database]\nconnection = sqlite:////nowhere/nova"))
    assert levels(found) == ["missing"]


def test_service_that_started_before_the_last_change_runs_old_code(host: Host) -> None:
    settings = host.settings()
    changed = settings.nova / "virt/driver.py"
    # A service is known by its name and by the compiled modules of Nova's folder that it maps.
    program = "import time, psycopg2; print('up', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", program, "nova-scheduler"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as service:
        try:
            assert service.stdout is not None
            service.stdout.readline()
            assert levels(services.old_code(settings)) == ["ok"]
            at = changed.stat()
            os.utime(changed, ns=(at.st_atime_ns, at.st_mtime_ns))
            line = remedy(services.old_code(settings))
        finally:
            service.kill()
    assert line == "systemctl restart nova-scheduler"


class TestCommand:
    """By the command line, on a tree whose Python is not known."""

    @pytest.fixture
    def run(
        self, tmp_path: pathlib.Path, host: Host
    ) -> typing.Callable[..., dict[str, typing.Any]]:
        host.settings()
        tree = Tree(tmp_path)

        def call(verb: str, *more: str) -> dict[str, typing.Any]:
            where = ("--etc", str(host.etc), "--format", "json")
            report: dict[str, typing.Any] = json.loads(tree.run(verb, *where, *more).stdout)
            return report

        return call

    ROLES = ("--role", "controller", "--role", "compute")

    def test_doctor_exits_7_where_something_is_missing(self, run: typing.Any) -> None:
        report = run("doctor", *self.ROLES)
        assert report["exit"] == 7
        assert report["findings"][0] | {"text": ""} == {
            "check": "patch",
            "level": "missing",
            "text": "",
            "remedy": "fpga-patch apply",
        }

    def test_doctor_of_a_patched_host_without_roles_exits_0(self, run: typing.Any) -> None:
        run("apply")
        assert run("doctor")["exit"] == 0

    def test_plan_shows_the_files_and_writes_none(self, run: typing.Any, host: Host) -> None:
        report = run("plan", "--configure", *self.ROLES)
        assert sorted(report["configuration"]) == [
            f"{host.etc}/nova.conf.d/fpga-nova.conf",
            f"{host.etc}/rootwrap.d/fpga.filters",
        ]
        assert not (host.etc / "nova.conf.d").exists()

    def test_configured_host_lacks_no_line(self, run: typing.Any, host: Host) -> None:
        run("apply", "--configure", *self.ROLES)
        settings = host.settings()
        checks = (controller.filters, compute.driver, compute.access, compute.filters_file)
        assert [levels(check(settings)) for check in checks] == [["ok"]] * 4

    def test_configuring_twice_changes_nothing(self, run: typing.Any) -> None:
        run("apply", "--configure", *self.ROLES)
        report = run("apply", "--configure", *self.ROLES)
        assert report["configuration"] == {"written": [], "left": []}

    def test_apply_without_being_asked_writes_no_configuration(
        self, run: typing.Any, host: Host
    ) -> None:
        run("apply", *self.ROLES)
        assert not (host.etc / "nova.conf.d").exists()

    def test_revert_removes_what_was_written(self, run: typing.Any, host: Host) -> None:
        run("apply", "--configure", *self.ROLES)
        assert len(run("revert")["configuration"]["removed"]) == 2
        assert not (host.etc / "nova.conf.d/fpga-nova.conf").exists()

    def test_revert_leaves_what_was_changed_since(self, run: typing.Any, host: Host) -> None:
        run("apply", "--configure", *self.ROLES)
        path = host.write("nova.conf.d/fpga-nova.conf", "# mine now\n")
        assert run("revert")["configuration"]["left"] == [str(path)]
        assert path.read_text() == "# mine now\n"

    def test_file_of_somebody_else_is_not_overwritten(self, run: typing.Any, host: Host) -> None:
        path = host.write("nova.conf.d/fpga-nova.conf", "# theirs\n")
        assert run("apply", "--configure", *self.ROLES)["configuration"]["left"] == [str(path)]
        assert path.read_text() == "# theirs\n"
