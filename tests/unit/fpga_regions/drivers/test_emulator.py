# SPDX-License-Identifier: Apache-2.0
"""The emulator with its real processes: what is programmed answers, what is cleared is gone."""

import contextlib
import os
import pathlib
import signal
import stat
import typing
import zlib

import lzallright
import pytest
from oslo_config import cfg

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.command import options
from fpga_regions.drivers.emulator import EmulatorDriver
from fpga_regions.model import Loaded, Region, State
from tests.support import bitstreams
from tests.support.host import Host, talk
from tests.unit.fpga_regions.conftest import unpack

DATA = b"the quick brown fox " * 5000


class Emulated:
    """One emulated region, and its driver."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.conf: cfg.ConfigOpts = options.load(str(host.config))
        self.driver = EmulatorDriver("emulator", self.conf)
        self.slots = self.driver.discover()
        self.region = Region("a0399bc1-cb67-4548-b0b8-aa95a91402d3", self.slots[0], State.FREE, "")

    def program(self, data: bytes) -> str:
        """Program a package; the path of its first socket."""
        package = unpack(data, self.conf)
        self.driver.program(self.region, package, Deadline(10))
        return self.driver.nodes(self.region, package)[0].path

    def clear(self) -> None:
        """Clear the region."""
        self.driver.clear(self.region, Deadline(10))

    def read_back(self) -> Loaded | None:
        """What the region says."""
        return self.driver.read_back(self.region)


@pytest.fixture
def emulated(tmp_path: pathlib.Path) -> typing.Iterator[Emulated]:
    host = Host(tmp_path, emulator__max_input=200_000, emulator__client_timeout=1)
    emulated = Emulated(host)
    yield emulated
    emulated.clear()


def test_cards_and_regions_are_as_configured(tmp_path: pathlib.Path) -> None:
    slots = Emulated(Host(tmp_path, emulator__cards=2, emulator__regions=3)).slots
    assert [(s.device, s.index) for s in slots] == [
        (f"emulator{card}", index) for card in range(2) for index in range(3)
    ]
    assert all(slot.simulated for slot in slots)


def test_lzo_core_compresses_what_the_client_sends(emulated: Emulated) -> None:
    answer = talk(emulated.program(bitstreams.package()), DATA)
    assert len(answer) < len(DATA) // 10
    assert lzallright.LZOCompressor.decompress(answer, len(DATA)) == DATA


def test_crc_core_answers_otherwise(emulated: Emulated) -> None:
    answer = talk(emulated.program(bitstreams.package("crc32")), DATA)
    assert answer == zlib.crc32(DATA).to_bytes(4, "big")


def test_region_shows_what_it_holds(emulated: Emulated) -> None:
    package = unpack(bitstreams.package(), emulated.conf)
    emulated.program(bitstreams.package())
    assert emulated.read_back() == Loaded("lzo1x_compress", package.digest)


def test_region_shows_the_core_that_runs_whatever_the_manifest_says(emulated: Emulated) -> None:
    emulated.program(bitstreams.package(content=bitstreams.bitfile("crc32")))
    loaded = emulated.read_back()
    assert loaded is not None
    assert loaded.function == "crc32"


def test_each_node_has_a_socket_that_any_user_may_use(emulated: Emulated) -> None:
    exposes = [{"kind": "socket", "name": f"/dev/fpga{n}"} for n in range(2)]
    package = unpack(bitstreams.package(exposes=exposes), emulated.conf)
    emulated.driver.program(emulated.region, package, Deadline(10))
    nodes = emulated.driver.nodes(emulated.region, package)
    assert [node.name for node in nodes] == ["/dev/fpga0", "/dev/fpga1"]
    for node in nodes:
        assert stat.S_IMODE(pathlib.Path(node.path).stat().st_mode) == 0o666
        assert talk(node.path, DATA)


def test_folder_of_the_sockets_is_closed_to_other_users(emulated: Emulated) -> None:
    folder = pathlib.Path(emulated.program(bitstreams.package())).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up root")
def test_function_does_not_run_as_root(emulated: Emulated) -> None:
    emulated.program(bitstreams.package())
    (server,) = emulated.host.servers()
    lines = pathlib.Path(f"/proc/{server.pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert "0" not in fields["Uid"].split()
    assert (fields["CapEff"], fields["NoNewPrivs"]) == ("0" * 16, "1")


def test_cleared_region_has_no_socket_and_no_process(emulated: Emulated) -> None:
    path = pathlib.Path(emulated.program(bitstreams.package()))
    (server,) = emulated.host.servers()
    emulated.clear()
    assert emulated.read_back() is None
    assert emulated.host.servers() == []
    assert not path.parent.exists()
    assert not pathlib.Path(f"/proc/{server.pid}").exists()


def test_clearing_what_holds_nothing_is_done(emulated: Emulated) -> None:
    emulated.clear()
    assert emulated.read_back() is None


def test_process_that_does_not_listen_to_signals_is_ended(emulated: Emulated) -> None:
    emulated.program(bitstreams.package())
    (server,) = emulated.host.servers()
    os.kill(server.pid, signal.SIGSTOP)
    emulated.driver.clear(emulated.region, Deadline(1))
    assert not pathlib.Path(f"/proc/{server.pid}").exists()


def test_programming_ends_what_ran_before(emulated: Emulated) -> None:
    emulated.program(bitstreams.package())
    (before,) = emulated.host.servers()
    emulated.program(bitstreams.package("crc32"))
    assert before not in emulated.host.servers()
    assert not pathlib.Path(f"/proc/{before.pid}").exists()


def test_crash_of_the_process_is_seen(emulated: Emulated) -> None:
    emulated.program(bitstreams.package())
    (server,) = emulated.host.servers()
    os.kill(server.pid, signal.SIGKILL)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    assert emulated.read_back() is None


def test_number_of_a_dead_process_that_another_one_has_is_not_killed(emulated: Emulated) -> None:
    emulated.program(bitstreams.package())
    record = emulated.host.state / "emulator" / emulated.region.id
    (server,) = emulated.host.servers()
    record.write_text(f'{{"pid": {os.getpid()}, "started": 1, "boot": "{server.boot}"}}')
    emulated.clear()  # this test would end here


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no JSON", "not a descriptor"),
        (b"[]", "not a descriptor"),
        (b'{"part": "software"}', "not a descriptor"),
        (bitstreams.bitfile(part="hx8k"), "for part hx8k, the package for software"),
        (bitstreams.bitfile("teleport"), "unknown core, teleport"),
        (b'{"part": "software", "core": []}', "unknown core"),
        (b"ab" + bytes(range(256)) * 20, "more than 4096 bytes"),
        (b"\xff\xfe", "not a descriptor"),
    ],
    ids=["text", "list", "no core", "part", "core", "type", "size", "bytes"],
)
def test_bitfile_that_it_can_never_run_is_a_bad_package(
    emulated: Emulated, content: bytes, words: str
) -> None:
    with pytest.raises(errors.BadPackage, match=words):
        emulated.program(bitstreams.package(content=content))
    emulated.clear()
    assert emulated.read_back() is None


def test_process_that_is_not_ready_in_time_is_reported(emulated: Emulated) -> None:
    with pytest.raises(errors.TimedOut, match="program_timeout"):
        emulated.driver.program(
            emulated.region, unpack(bitstreams.package(), emulated.conf), Deadline(0)
        )


def test_user_that_does_not_exist_is_reported(tmp_path: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    emulated = Emulated(Host(tmp_path, emulator__user="nosuchuser"))
    with pytest.raises(errors.ProgrammingFailed, match="no user nosuchuser"):
        emulated.program(bitstreams.package())
    emulated.clear()


def test_too_much_input_gets_no_answer_and_the_next_client_does(emulated: Emulated) -> None:
    path = emulated.program(bitstreams.package("crc32"))
    answer = b""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        answer = talk(path, bytes(400_000))
    assert answer == b""
    assert talk(path, b"x")
