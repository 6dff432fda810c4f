# SPDX-License-Identifier: Apache-2.0
"""A command that the server does is as one that is done without it, whatever dies meanwhile."""

import contextlib
import os
import pathlib
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import typing

import pytest

from fpga_regions.command import arguments, client
from tests.support import bitstreams
from tests.support.host import Host, wait_until
from tests.support.openstack import OpenStack
from tests.unit.fpga_regions.command.test_main import UNKNOWN, UUID, refusal
from tests.unit.fpga_regions.conftest import owner

TARGET = {"board": "fake", "part": "fake"}


class Served:
    """A host whose server does what it is asked, and the numbers of its commands' processes."""

    def __init__(self, host: Host, server: "subprocess.Popen[str]", image: str) -> None:
        self.host, self.server, self.image = host, server, image

    def start(self) -> "subprocess.Popen[str]":
        """A burn that lasts; given back while it programs."""
        burning = self.host.start("burn", self.image, "--owner", owner())
        self.wait()
        return burning

    def wait(self) -> None:
        """Wait until a burn programs."""
        published = self.host.runtime / "status.json"
        wait_until(lambda: published.exists() and '"write"' in published.read_text(), 30)

    def workers(self) -> list[int]:
        """The processes of commands."""
        pid = self.server.pid
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]

    def worker(self) -> int:
        """The process of the only command; the server itself may prepare images for a while."""
        wait_until(lambda: len(self.workers()) == 1)
        (worker,) = self.workers()
        return worker

    def undone(self) -> bool:
        """Whether no region is in use, without a command that would see to it."""
        return '"write"' not in (self.host.runtime / "status.json").read_text()


@pytest.fixture
def fake(tmp_path: pathlib.Path, cloud: OpenStack) -> Host:
    """A host with the driver `fake`, without a server yet."""
    return Host(tmp_path, cloud.options(), drivers="fake")


@pytest.fixture
def image(cloud: OpenStack) -> str:
    return cloud.add(bitstreams.package(target=TARGET))


@pytest.fixture
def served(fake: Host, image: str) -> typing.Iterator[Served]:
    """One that programs for as long as it is let."""
    fake.configure(drivers="fake", fake__program_delay=30)
    with fake.served() as server:
        yield Served(fake, server, image)


def outcome(ran: "subprocess.CompletedProcess[str]", folder: pathlib.Path) -> tuple[int, str, str]:
    """Exit status and outputs, without what differs from one run to the next."""
    outputs = [
        re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text.replace(str(folder), ""))
        for text in (ran.stdout, ran.stderr)
    ]
    times = [re.sub(r"\d{4}-\d\d-\d\dT[0-9:.+]+", "TIME", text) for text in outputs]
    return ran.returncode, times[0], times[1]


def test_outputs_and_exit_statuses_are_the_same_either_way(
    tmp_path: pathlib.Path, cloud: OpenStack, image: str
) -> None:
    package = tmp_path / "crc32.zip"
    package.write_bytes(bitstreams.package("crc32", target=TARGET))
    commands = [
        ("burn", UNKNOWN),
        ("burn", image, "--owner", owner()),
        ("burn", "--file", "crc32.zip", "--dry-run"),
        ("burn", "--file", "crc32.zip"),
        ("burn", image),
        ("describe", UNKNOWN),
        ("reconcile", "--format", "json"),
        ("quarantine",),
        ("erase", "--owner", owner()),
        ("status", "--help"),
        ("status", "--format", "json"),
    ]
    outcomes = []
    for name, way in (("without", contextlib.nullcontext), ("with", Host.served)):
        (tmp_path / name).mkdir()
        host = Host(tmp_path / name, cloud.options(), drivers="fake")
        with way(host):
            outcomes.append(
                [outcome(host.run(*words, cwd=tmp_path), host.folder) for words in commands]
            )
    assert [one[0] for one in outcomes[0]] == [67, 0, 0, 0, 65, 33, 0, 2, 0, 0, 0]
    assert outcomes[0] == outcomes[1]


def test_server_does_all_verbs_but_its_own_and_those_of_packages() -> None:
    verbs = set(arguments.verbs_of(arguments.parser()))
    assert verbs - client.VERBS == {"serve", "image"}
    assert verbs >= client.VERBS


@pytest.mark.parametrize("number", client.SIGNALS)
def test_signal_of_the_client_undoes_the_command(served: Served, number: int) -> None:
    burning = served.start()
    burning.send_signal(number)
    out, err = burning.communicate()
    assert (burning.returncode, out) == (-number, "")
    assert f"interrupted by {signal.Signals(number).name}; what was begun is undone" in err
    assert served.undone()


def test_signal_that_the_client_ignores_is_ignored(served: Served) -> None:
    ignoring = ["env", "--ignore-signal=HUP", *served.host.command("burn", served.image)]
    burning = subprocess.Popen(ignoring)
    served.wait()
    os.kill(served.worker(), signal.SIGHUP)
    burning.send_signal(signal.SIGHUP)
    assert served.host.run("status").returncode == 0
    assert burning.poll() is None
    burning.terminate()
    assert burning.wait() == -signal.SIGTERM


def test_client_that_is_killed_has_its_command_undone(served: Served) -> None:
    burning = served.start()
    burning.kill()
    burning.wait()
    wait_until(served.undone)
    wait_until(lambda: served.workers() == [])


def test_command_whose_process_is_killed_is_as_one_that_was_killed(served: Served) -> None:
    burning = served.start()
    os.kill(served.worker(), signal.SIGKILL)
    assert burning.communicate() == ("", "")
    assert burning.returncode == -signal.SIGKILL
    assert served.host.states() == ["free", "free"]


def test_server_that_is_killed_has_its_commands_undone(served: Served) -> None:
    burning = served.start()
    served.server.kill()
    out, err = burning.communicate()
    assert (burning.returncode, out) == (-signal.SIGTERM, "")
    assert "interrupted by SIGTERM" in err
    assert served.undone()
    # Its socket is there still, and nobody listens.
    assert served.host.states() == ["free", "free"]


def test_server_that_stops_waits_for_its_commands_and_begins_none(fake: Host, image: str) -> None:
    fake.configure(drivers="fake", fake__program_delay=2)
    with fake.served() as server:
        served = Served(fake, server, image)
        burning = served.start()
        server.terminate()
        assert fake.run("status").returncode == 0
        out, _ = burning.communicate()
        assert UUID.fullmatch(out)
        assert server.wait(30) == 0
    assert not (fake.runtime / client.SOCKET).exists()


def test_server_stops_though_a_client_asks_for_nothing(fake: Host) -> None:
    with fake.served() as server, client._connected(str(fake.runtime)) as connection:
        server.terminate()
        assert connection.recv(16) == b""
        assert server.wait(30) == 0


def test_changed_configuration_is_obeyed_at_once(fake: Host) -> None:
    with fake.served() as server:
        assert fake.run("status").stdout == "Used regions: 0/2\n"
        fake.configure(drivers="fake", fake__regions=3)
        assert fake.run("status").stdout == "Used regions: 0/3\n"
        # It becomes a server of the new configuration.
        wait_until(fake.has_server, 30)
        assert fake.run("status").stdout == "Used regions: 0/3\n"
        assert server.poll() is None


def test_command_of_another_configuration_is_not_the_servers(fake: Host) -> None:
    with fake.served():
        other = fake.folder / "other.conf"
        other.write_text(
            fake.config.read_text().replace("[DEFAULT]", "[fake]\nregions = 5\n[DEFAULT]")
        )
        command = [part if part != str(fake.config) else str(other) for part in fake.command()]
        ran = subprocess.run([*command, "status"], capture_output=True, text=True, check=False)
        assert ran.stdout == "Used regions: 0/5\n"


def test_second_server_of_a_folder_is_refused(fake: Host) -> None:
    with fake.served():
        assert "another fpga-cli serves already" in refusal(fake.run("serve"), 127)
        assert fake.run("status").returncode == 0


def test_socket_is_its_owners_alone(fake: Host) -> None:
    with fake.served():
        path = fake.runtime / client.SOCKET
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


_STRANGER = """
import os, socket
os.setuid(65534)
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect("manager.socket")
print(connection.recv(16))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_other_users_are_not_served(fake: Host) -> None:
    with fake.served():
        (fake.runtime / client.SOCKET).chmod(0o666)
        command = [sys.executable, "-c", _STRANGER]
        ran = subprocess.run(command, cwd=fake.runtime, capture_output=True, check=True)
        assert ran.stdout == b"b''\n"


@pytest.mark.parametrize("message", [b" ", b"{}", b"[1]", b"\xff", b'{"arguments": []}'])
def test_request_that_is_none_is_no_command(fake: Host, message: bytes) -> None:
    with fake.served() as server:
        connection = client._connected(str(fake.runtime))
        with connection:
            connection.send(message)
            assert connection.recv(16) == b""
        assert fake.run("status").returncode == 0
        assert server.poll() is None


def test_closed_streams_are_done_without_the_server(fake: Host) -> None:
    with fake.served():
        ran = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *fake.command("status")],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert ran.returncode in (0, 1)
        assert fake.run("status").returncode == 0


def test_pipe_that_nobody_reads_ends_the_command_as_a_signal(fake: Host) -> None:
    with fake.served():
        reader, writer = os.pipe()
        os.close(reader)
        ran = subprocess.run(fake.command("status"), stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        assert (ran.returncode, ran.stderr) == (-signal.SIGPIPE, b"")


def test_terminal_of_the_client_shows_progress(fake: Host, image: str, cloud: OpenStack) -> None:
    cloud.delay = 1.5
    fake.configure(drivers="fake")
    with fake.served():
        terminal, end = pty.openpty()
        ran = subprocess.run(fake.command("burn", image), stdout=subprocess.DEVNULL, stderr=end)
        os.close(end)
        assert (ran.returncode, b"fetching" in os.read(terminal, 4096)) == (0, True)
        os.close(terminal)


def test_16_commands_at_once_take_the_regions_once(fake: Host, image: str) -> None:
    fake.configure(drivers="fake", fake__regions=8)
    with fake.served():
        running = [fake.start("burn", image, "--owner", owner(n)) for n in range(16)]
        codes = [process.wait() for process in running]
    assert (codes.count(0), codes.count(65)) == (8, 8)
    assert len({region["owner"] for region in fake.status()["regions"]}) == 8


def test_service_managers_socket_is_used_and_it_is_told(fake: Host) -> None:
    fake.runtime.mkdir()
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(fake.folder / "notify"))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(fake.runtime / client.SOCKET))
    listener.listen()
    code = 'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@" 3<&'
    server = subprocess.Popen(
        ["bash", "-c", f"{code}{listener.fileno()}", "bash", *fake.command("serve")],
        pass_fds=[listener.fileno()],
        env=os.environ | {"NOTIFY_SOCKET": str(fake.folder / "notify")},
    )
    listener.close()
    manager.settimeout(60)
    assert manager.recv(64) == b"READY=1"
    assert fake.run("status").stdout == "Used regions: 0/2\n"
    fake.configure(drivers="fake", fake__regions=3)
    assert fake.run("status").stdout == "Used regions: 0/3\n"
    assert [manager.recv(64) for _ in range(2)] == [b"RELOADING=1", b"READY=1"]
    assert fake.has_server()
    server.terminate()
    assert server.wait(30) == 0
    assert manager.recv(64) == b"STOPPING=1"
    manager.close()
