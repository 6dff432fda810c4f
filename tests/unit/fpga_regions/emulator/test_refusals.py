# SPDX-License-Identifier: Apache-2.0
"""What an engine or a tool refuses for good, what fails on this host now, and how that is told."""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.emulator import engines, models, netlist, refusals
from fpga_regions.emulator.sandbox import Sandbox, ToolFailed
from tests.support import bitstreams, synthesis
from tests.support.host import connected, talk, wait_until
from tests.unit.fpga_regions.emulator.conftest import Board, Workshop
from tests.unit.fpga_regions.emulator.test_chip import _processes_of, receive

from ..conftest import owner

DATA = b"the quick brown fox"
HANDSHAKE = """
    reg [7:0] held;
    reg full;
    assign in_ready = !full;
    assign out_data = held;
    assign out_valid = full;
    assign done = in_end && !full;
"""

#: An oscillator without an end, as cores that make random numbers have it. Icarus takes it for
#: unknown; what Verilator makes of it ends with "Settle region did not converge".
OSCILLATOR = synthesis.core(
    HANDSHAKE
    + """
    wire loop;
    reg noise;
    SB_LUT4 #(.LUT_INIT(16'h5555)) inverter (.I0(loop), .O(loop));
    always @(posedge clk) noise <= loop;
    always @(posedge clk)
        if (rst) full <= 0;
        else if (in_valid && in_ready) begin
            held <= in_data[7] ? {7'd0, noise} : in_data;
            full <= 1;
        end else if (out_ready) full <= 0;
    """
)

WARM_BOOT = synthesis.core(
    HANDSHAKE
    + """
    SB_WARMBOOT boot (.BOOT(held == 8'h42), .S1(1'b0), .S0(1'b1));
    always @(posedge clk)
        if (rst) full <= 0;
        else if (in_valid && in_ready) begin held <= in_data; full <= 1; end
        else if (out_ready) full <= 0;
    """
)


@pytest.fixture(scope="module")
def oscillator(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return synthesis.bitstream(tmp_path_factory.mktemp("oscillator"), OSCILLATOR)


@pytest.fixture(scope="module")
def warm_boot(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return synthesis.bitstream(tmp_path_factory.mktemp("warm_boot"), WARM_BOOT)


def engine_of(board: Board) -> str:
    """Which engine simulates a region."""
    with connected(str(board.host.runtime / "regions" / board.region.id / "control")) as control:
        return str(json.loads(receive(control, 4096))["engine"])


def test_bitstream_whose_compiled_model_does_not_run_stays_with_the_other_engine(
    tmp_path: pathlib.Path, oscillator: bytes
) -> None:
    board = Board(tmp_path / "auto", engine="auto")
    try:
        for _ in range(2):
            assert talk(board.program("noise", "hx8k", oscillator), DATA) == DATA
            wait_until(lambda: not board.host.compilers(), 250)
        queue = board.host.state / "emulator-models" / "wishes"
        wait_until(lambda: list(queue.iterdir()) == [], 250)
        assert engine_of(board) == "icarus"
        assert talk(board.program("noise", "hx8k", oscillator), DATA) == DATA
        assert list(queue.iterdir()) == []
        (refused,) = (board.host.state / "emulator-models" / "models").glob("*.refused")
        assert "did not converge" in refused.read_text()
    finally:
        board.close()


def test_engine_that_is_asked_for_gives_way_to_the_other_where_its_model_does_not_run(
    tmp_path: pathlib.Path, oscillator: bytes
) -> None:
    board = Board(tmp_path / "verilator", engine="verilator")
    try:
        assert talk(board.program("noise", "hx8k", oscillator), DATA) == DATA
        assert engine_of(board) == "icarus"
    finally:
        board.close()


def test_compiled_model_that_answers_otherwise_is_refused(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.get("crc32", "auto")
    (key,) = workshop.models.queue()
    source = engines.Verilator()._source()
    wrong = source.replace(b"made[count++] = core.out_data", b"made[count++] = core.out_data ^ 1")
    assert wrong != source
    monkeypatch.setattr(engines.Verilator, "_source", lambda _self: wrong)
    monkeypatch.setattr(models, "_COMPILED", engines.Verilator())
    workshop.models.compile(key, Deadline(250))
    assert workshop.get("crc32", "auto").engine.name == "icarus"
    assert workshop.models.queue() == []


class Models:
    """A region with a compiled model in its cache, which a test can damage."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.board = Board(folder, engine="auto")
        self.board.program("crc32")
        self.folder = self.board.host.state / "emulator-models" / "models"
        wait_until(lambda: any(self.folder.glob("*.verilator")), 250)
        wait_until(lambda: not self.board.host.compilers(), 10)

    def put(self, content: bytes) -> None:
        """Put another content in place of the compiled model, as if it had been compiled."""
        (path,) = self.folder.glob("*.verilator")
        path.unlink()
        digest = hashlib.sha256(content).hexdigest()
        replacement = path.with_name(f"{path.name.partition('-')[0]}-{digest}.verilator")
        replacement.write_bytes(content)
        replacement.chmod(0o555)


#: What runs no more, or never did: empty, of another machine, ends at once, answers rubbish.
BROKEN = (b"", b"\x7fELF\x02\x01\x01" + bytes(57), b"#!/bin/false\n", b"#!/bin/cat\n")


def test_cached_model_that_does_not_run_any_more_is_refused_and_the_burn_succeeds(
    tmp_path: pathlib.Path,
) -> None:
    cached = Models(tmp_path / "auto")
    (path,) = cached.folder.glob("*.verilator")
    whole = path.read_bytes()
    try:
        for content in BROKEN:
            cached.put(content)
            answer = talk(cached.board.program("crc32"), b"123456789")
            assert (engine_of(cached.board), answer.hex()) == ("icarus", "cbf43926")
            assert list(cached.folder.glob("*.verilator")) == []
            (refused,) = cached.folder.glob("*.refused")
            refused.unlink()
            path.write_bytes(whole)
    finally:
        cached.board.close()


def test_cached_model_that_was_cut_short_is_compiled_anew(tmp_path: pathlib.Path) -> None:
    cached = Models(tmp_path / "auto")
    try:
        (path,) = cached.folder.glob("*.verilator")
        whole = path.read_bytes()
        path.chmod(0o755)
        path.write_bytes(whole[: len(whole) // 2])
        assert talk(cached.board.program("crc32"), b"123456789").hex() == "cbf43926"
        assert engine_of(cached.board) == "icarus"
        assert list(cached.folder.glob("*.refused")) == []
    finally:
        cached.board.close()


def test_cell_that_is_not_simulated_is_a_bad_package_and_named(
    tmp_path: pathlib.Path, warm_boot: bytes
) -> None:
    board = Board(tmp_path / "board")
    try:
        file = tmp_path / "package.zip"
        file.write_bytes(bitstreams.real_package("boot", "hx8k", warm_boot))
        result = board.host.run("burn", "--file", str(file), "--owner", owner(0))
        assert result.returncode == 66
        assert result.stderr == (
            f"Error: cannot program `{file}' - the bitstream uses warm boot (SB_WARMBOOT), which "
            "the emulator does not have; the region was cleared\n"
        )
        events = json.loads(board.host.run("events", "--format", "json").stdout)
        assert "programming again" not in json.dumps(events)
    finally:
        board.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"part": "software", "core": "teleport"}', "unknown core, teleport"),
        (os.urandom(5000), "more than 4096 bytes"),
    ],
    ids=["core", "size"],
)
def test_descriptor_that_can_never_be_run_is_tried_once(
    tmp_path: pathlib.Path, content: bytes, words: str
) -> None:
    board = Board(tmp_path / "board")
    board.host.configure(emulator__parts="software")
    try:
        file = tmp_path / "package.zip"
        file.write_bytes(bitstreams.package(content=content))
        result = board.host.run("burn", "--file", str(file), "--owner", owner(0))
        assert (result.returncode, words in result.stderr) == (66, True)
        assert "programming again" not in board.host.run("events", "--format", "json").stdout
    finally:
        board.close()


def test_tool_that_fails_with_what_it_takes_too_is_no_refusal(box: Sandbox) -> None:
    box.make({}, [["true"]], None, Deadline(10))

    def control() -> None:
        box.make({}, [["false"]], None, Deadline(10))

    with pytest.raises(ToolFailed) as failed:
        control()
    failure = refusals.failure(box, failed.value, control, "it is damaged")
    assert isinstance(failure, errors.ProgrammingFailed)


def test_tool_that_has_no_memory_is_no_refusal(box: Sandbox) -> None:
    small = Sandbox(box.parent, box.uid, max_memory=20 << 20)
    with pytest.raises(errors.ProgrammingFailed, match="does not work"):
        netlist.from_bitstream(small, bitstreams.bitstream("crc32", "hx1k"), "hx1k", Deadline(60))


def test_engine_that_has_no_memory_is_no_refusal(box: Sandbox) -> None:
    small = Sandbox(box.parent, box.uid, max_memory=8 << 20)
    with pytest.raises(errors.ProgrammingFailed, match="does not work"):
        engines.Icarus().build(small, b"module shell(\n", Deadline(60))


@pytest.fixture
def full(tmp_path: pathlib.Path) -> "pathlib.Path":
    """A folder on a file system without room."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted")
    return folder


def test_tool_without_room_on_its_disk_is_no_refusal(full: pathlib.Path) -> None:
    try:
        box = Sandbox(full / "work", 2000004000)
        with pytest.raises((errors.ProgrammingFailed, OSError)):
            netlist.from_bitstream(box, bitstreams.bitstream("crc32", "hx1k"), "hx1k", Deadline(60))
    finally:
        subprocess.run(["umount", str(full)], check=True)


def test_tool_that_was_killed_is_no_refusal(tmp_path: pathlib.Path) -> None:
    uid = 2000004123
    box = Sandbox(tmp_path / "work", uid)

    def names() -> dict[int, str]:
        commands = {}
        for pid in _processes_of(uid):
            with contextlib.suppress(OSError):
                commands[pid] = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        return commands

    def kill() -> None:
        wait_until(lambda: "sleep" in names().values())
        (pid,) = (pid for pid, name in names().items() if name == "sleep")
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ToolFailed) as killed:
        box.make({}, [["sleep", "60"]], None, Deadline(60))
    killer.join()
    failure = refusals.failure(box, killed.value, lambda: None, "it is damaged")
    assert isinstance(failure, errors.ProgrammingFailed)
