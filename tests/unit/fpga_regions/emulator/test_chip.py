# SPDX-License-Identifier: Apache-2.0
"""A programmed chip and its clients; the model is Icarus's unless a test says otherwise."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import threading
import zlib

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.model import Loaded
from tests.support import bitstreams
from tests.support.host import connected, talk, wait_until
from tests.unit.fpga_regions.emulator.conftest import Board

from ..conftest import unpack

DATA = b"the quick brown fox " * 50


def crc(data: bytes) -> bytes:
    """What the CRC core must answer."""
    return zlib.crc32(data).to_bytes(4, "big")


def receive(connection: socket.socket, size: int) -> bytes:
    """Exactly so many bytes, or what there is until the end."""
    data = b""
    while len(data) < size and (part := connection.recv(size - len(data))):
        data += part
    return data


def test_core_answers_what_the_client_sent(board: Board) -> None:
    assert talk(board.program("crc32"), DATA) == crc(DATA)


def test_each_job_starts_from_a_reset(board: Board) -> None:
    path = board.program("crc32")
    assert [talk(path, data) for data in (DATA, b"", DATA)] == [crc(DATA), crc(b""), crc(DATA)]


def test_region_shows_the_digest_of_its_bitstream(board: Board) -> None:
    package = unpack(bitstreams.real_package("crc32", "hx1k"), board.conf)
    board.program("crc32")
    assert board.read_back() == Loaded("crc32", package.digest)


def test_input_may_come_in_pieces_with_pauses(board: Board) -> None:
    with connected(board.program("crc32")) as connection:
        for part in (DATA[:10], DATA[10:11], DATA[11:]):
            connection.sendall(part)
            assert not threading.Event().wait(0.3)
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection, 5) == crc(DATA)


def test_output_comes_before_the_input_has_ended(board: Board) -> None:
    with connected(board.program("packbits")) as connection:
        connection.sendall(b"a" * 128 + b"b")
        assert receive(connection, 2) == bytes([257 - 128]) + b"a"


def test_output_that_is_read_late_is_complete(board: Board) -> None:
    data = bytes(range(256)) * 60  # incompressible, so that the answer is larger than any pipe
    answer = talk(board.program("packbits"), data)
    assert len(answer) == len(data) + len(data) // 16


def test_clients_that_come_at_once_are_served_one_after_the_other(board: Board) -> None:
    path = board.program("crc32")
    answers: dict[int, bytes] = {}

    def client(number: int) -> None:
        answers[number] = talk(path, DATA * (number + 1))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: crc(DATA * (number + 1)) for number in range(4)}


def test_client_that_goes_away_does_not_disturb_the_next(board: Board) -> None:
    path = board.program("crc32")
    with connected(path) as connection:
        connection.sendall(DATA)
    assert talk(path, DATA) == crc(DATA)


def test_client_that_does_nothing_is_dropped(tmp_path: pathlib.Path) -> None:
    board = Board(tmp_path / "impatient", client_timeout=1)
    try:
        path = board.program("crc32")
        with connected(path) as connection:
            connection.sendall(b"x")
            assert receive(connection, 1) == b""
        assert talk(path, DATA) == crc(DATA)
    finally:
        board.close()


def test_status_is_reported_during_a_job(board: Board) -> None:
    with connected(board.program("crc32")) as connection:
        connection.sendall(DATA)
        assert board.read_back() is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up root")
def test_chip_and_server_run_as_a_user_of_the_regions_own(board: Board) -> None:
    board.program("crc32")
    (simulator,) = board.simulators()
    uid = str(board.conf.emulator.first_uid + 1)
    for pid in (board.server().pid, simulator):
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert fields["Uid"].split() == fields["Gid"].split() == [uid] * 4
        assert fields["Groups"].strip() == ""
        assert (fields["CapEff"], fields["NoNewPrivs"]) == ("0" * 16, "1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces")
def test_chip_has_no_network_and_sees_no_other_processes(board: Board) -> None:
    board.program("crc32")
    (simulator,) = board.simulators()
    for name in ("net", "ipc", "pid"):
        own = pathlib.Path(f"/proc/self/ns/{name}").readlink()
        assert pathlib.Path(f"/proc/{simulator}/ns/{name}").readlink() != own


def test_chip_has_limits_on_memory_and_files(board: Board) -> None:
    board.program("crc32")
    (simulator,) = board.simulators()
    lines = pathlib.Path(f"/proc/{simulator}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:47].strip() for line in lines}
    assert limits["Max address space"] == str(board.conf.emulator.max_memory)
    assert limits["Max file size"] == str(1 << 20)


def test_cleared_region_has_no_process_and_no_socket(board: Board) -> None:
    path = pathlib.Path(board.program("crc32"))
    pids = [board.server().pid, *board.simulators()]
    board.clear()
    assert not path.parent.exists()
    wait_until(lambda: not any(_runs(pid) for pid in pids))
    assert board.read_back() is None


def test_simulator_ends_with_a_server_that_was_killed(board: Board) -> None:
    board.program("crc32")
    (simulator,) = board.simulators()
    os.kill(board.server().pid, signal.SIGKILL)
    wait_until(lambda: not _runs(simulator))


def test_region_whose_simulator_died_shows_nothing(board: Board) -> None:
    board.program("crc32")
    (simulator,) = board.simulators()
    os.kill(simulator, signal.SIGKILL)
    wait_until(lambda: not _runs(simulator))
    assert board.read_back() is None


def test_region_can_be_programmed_after_its_simulator_died(board: Board) -> None:
    board.program("crc32")
    os.kill(board.simulators()[0], signal.SIGKILL)
    assert talk(board.program("crc32"), DATA) == crc(DATA)


def test_simulator_that_hangs_ends_the_region(board: Board) -> None:
    path = board.program("crc32")
    os.kill(board.simulators()[0], signal.SIGSTOP)
    assert talk(path, DATA) == b""
    wait_until(lambda: board.read_back() is None)


def test_bitstream_for_another_part_than_the_package_says_is_refused(board: Board) -> None:
    with pytest.raises(errors.BadPackage, match="for the device 1k; hx8k is 8k"):
        board.program("crc32", "hx8k", bitstreams.bitstream("crc32", "hx1k"))


def test_bitfile_that_is_no_bitstream_is_refused(board: Board) -> None:
    with pytest.raises(errors.BadPackage, match="not an iCE40 bitstream"):
        board.program("crc32", "hx1k", bytes(range(256)))


def test_share_of_a_processor_slows_the_chip_down(tmp_path: pathlib.Path) -> None:
    board = Board(tmp_path / "slow", cpu_percent=25)
    try:
        path = board.program("crc32")
        (simulator,) = board.simulators()
        before, start = _seconds(simulator), os.times().elapsed
        talk(path, DATA * 20)
        used, duration = _seconds(simulator) - before, os.times().elapsed - start
        assert used <= 0.4 * duration + 0.05
    finally:
        board.close()


def test_burn_compiles_for_the_next_one_and_keeps_the_engine_it_has(
    tmp_path: pathlib.Path,
) -> None:
    board = Board(tmp_path / "auto", engine="auto")
    try:
        path = board.program("crc32")
        assert _engine(board) == "icarus"
        models = board.host.state / "emulator-models" / "models"
        wait_until(lambda: any(models.glob("*.verilator")), 250)
        assert _engine(board) == "icarus"
        assert talk(path, DATA) == crc(DATA)
        assert talk(board.program("crc32"), DATA) == crc(DATA)
        assert _engine(board) == "verilator"
    finally:
        board.close()


def test_compiler_that_a_signal_ends_leaves_nothing(tmp_path: pathlib.Path) -> None:
    board = Board(tmp_path / "auto", engine="auto")
    try:
        board.program("packbits")
        work = board.host.runtime / "work"
        wait_until(lambda: bool(board.host.compilers()) and any(work.iterdir()))
        (compiler,) = board.host.compilers()
        os.kill(compiler.pid, signal.SIGTERM)
        os.waitpid(compiler.pid, 0)
        assert list(work.iterdir()) == []
        assert board.host.compilers() == []
        uid = board.conf.emulator.first_uid
        wait_until(lambda: not _processes_of(uid))
    finally:
        board.close()


def test_compiler_that_is_killed_takes_its_tools_with_it(tmp_path: pathlib.Path) -> None:
    board = Board(tmp_path / "auto", engine="auto")
    try:
        board.program("packbits")
        uid = board.conf.emulator.first_uid
        wait_until(lambda: bool(board.host.compilers()) and bool(_processes_of(uid)), 60)
        (compiler,) = board.host.compilers()
        os.kill(compiler.pid, signal.SIGKILL)
        os.waitpid(compiler.pid, 0)
        wait_until(lambda: not _processes_of(uid))
    finally:
        board.close()


def _engine(board: Board) -> str:
    with connected(str(board.host.runtime / "regions" / board.region.id / "control")) as control:
        return str(json.loads(receive(control, 4096))["engine"])


def _runs(pid: int) -> bool:
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def _seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _processes_of(uid: int) -> list[int]:
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if f"\nUid:\t{uid}\t" in status.read_text() and _runs(int(status.parent.name)):
                found.append(int(status.parent.name))
    return found


def test_chip_that_is_reset_runs_on_with_another_simulator(board: Board) -> None:
    path = board.program("crc32")
    loaded, before = board.read_back(), board.simulators()
    board.driver.reset(board.region, Deadline(20))
    assert board.read_back() == loaded
    assert not {*before} & {*board.simulators()}
    assert talk(path, b"abc") == zlib.crc32(b"abc").to_bytes(4, "big")


def test_chip_whose_model_is_not_in_the_cache_any_more_is_not_reset(board: Board) -> None:
    board.program("crc32")
    shutil.rmtree(board.host.state / "emulator-models" / "models")
    with pytest.raises(errors.NotErased, match="not in the cache any more"):
        board.driver.reset(board.region, Deadline(20))
    board.clear()
    assert board.read_back() is None


class Over(Deadline):
    """A deadline that is over while the compiler is still at work."""

    remaining = property(lambda _self: 0.0)  # type: ignore[assignment]


def test_compiling_in_a_burn_does_not_count_towards_its_time(tmp_path: pathlib.Path) -> None:
    board = Board(tmp_path / "patient", "verilator")
    package = unpack(bitstreams.real_package("crc32", "hx1k"), board.conf)
    board.driver.program(board.region, package, Over(60))
    assert _engine(board) == "verilator"
    board.close()


def test_compiling_in_a_burn_has_a_time_of_its_own(tmp_path: pathlib.Path) -> None:
    board = Board(tmp_path / "impatient", "verilator", compile_timeout=1)
    with pytest.raises(errors.TimedOut, match=r"took longer than 1 s|in time"):
        board.program("crc32")
    board.close()
