# SPDX-License-Identifier: Apache-2.0
"""What root dumps and signs, with a runc that writes what CRIU would."""

import errno
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading
import time
import types
import typing

import pytest

from novadocker.live import command, containers, dumping, manifest, reasons, signatures
from novadocker.live import errors as live_errors
from tests.unit.novadocker.live.conftest import BUNDLE, ID, Host

INSTANCE = "0e8a4ac6-5f0c-4f9e-8a55-0d1c7a3c2b11"


@pytest.fixture
def dumper(host: Host, tmp_path: pathlib.Path) -> Host:
    """A host whose runc dumps this very process."""
    criu = tmp_path / "criu"
    criu.write_text("#!/bin/sh\necho Version: 4.2.1\n")
    criu.chmod(0o755)
    host.file.write_text(host.file.read_text().replace("/bin/false", str(criu)))
    bundle = {**BUNDLE, "process": {"capabilities": {"bounding": _all()}}, "linux": {}}
    (host.bundle / "config.json").write_text(json.dumps(bundle))
    (tmp_path / "status").write_text("paused")
    host.settings.runc.write_text(
        "#!/bin/sh\nPATH=/usr/bin:/bin\ncase $3 in\n"
        f'state) echo "{{\\"bundle\\": \\"{host.bundle}\\", \\"pid\\": {os.getpid()}, '
        '\\"status\\": '
        f'\\"$(cat {tmp_path}/status)\\"}}" ;;\n'
        f'ps) echo "[{os.getpid()}]" ;;\n'
        'checkpoint) mkdir "$7"; echo core > "$7/core-1.img" ;;\nesac\n'
    )
    return host


def _all() -> list[str]:
    return [f"CAP_{name}" for name in containers._CAPABILITIES]


def _run(host: Host, *words: str) -> int:
    return command.main(["--settings", str(host.file), *words])


def _sign(host: Host, bitstreams: str = "none") -> int:
    options = ["--project", "p", "--instance", INSTANCE, "--image", "0" * 64]
    return _run(host, "sign", ID, *options, "--bitstreams", bitstreams)


def test_a_dump_is_signed_with_what_it_was_made_of(
    dumper: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(dumper, "dump", ID) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"preparation", "pause", "dump"}
    assert _sign(dumper, f"{'a' * 64}+{'b' * 64}") == 0
    folder = pathlib.Path(capsys.readouterr().out.strip())
    data = (folder / manifest.MANIFEST).read_bytes()
    signature = (folder / manifest.SIGNATURE).read_bytes()
    signatures.verify(data, signature, dumper.settings.trusted_keys)
    found = manifest.load(data)
    assert (found.project, found.instance, found.criu) == ("p", INSTANCE, "4.2.1")
    assert found.bitstreams == ("a" * 64, "b" * 64)
    assert [file.name for file in found.files] == ["core-1.img"]
    assert found.mounts == ("/etc/hosts", "/proc")


def test_only_what_is_signed_can_be_read_by_the_group(dumper: Host) -> None:
    _run(dumper, "dump", ID)
    folder = dumper.settings.spool / ID
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    _sign(dumper)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert stat.S_IMODE((folder / manifest.CRIU / "core-1.img").stat().st_mode) == 0o640


@pytest.mark.parametrize("verb", ["discard", "sweep"])
def test_nothing_of_a_dump_stays(dumper: Host, verb: str) -> None:
    _run(dumper, "dump", ID)
    _run(dumper, verb, *([ID] if verb == "discard" else []))
    assert list(dumper.settings.spool.iterdir()) == []


def test_a_dump_that_fails_leaves_nothing_and_gives_the_reason(
    dumper: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    text = dumper.settings.runc.read_text()
    failing = (
        'checkpoint) echo "(0.1) Error (criu/sk-unix.c:1): External socket is used. Consider '
        'using --ext-unix-sk" > "$9/dump.log"; exit 1 ;;\n'
    )
    dumper.settings.runc.write_text(text.replace("checkpoint)", failing + "other)"))
    assert _run(dumper, "dump", ID) == 1
    reason = capsys.readouterr().err
    assert "a process is connected to a socket of the host" in reason
    assert "External socket is used" in reason
    assert list(dumper.settings.spool.iterdir()) == []


def test_a_dump_that_fails_gives_the_reason_why_its_regions_were_not_disconnected(
    dumper: Host, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = tmp_path / "fpga-cli.py"
    cli.write_text(f"#!/bin/sh\ncp {tmp_path}/status {tmp_path}/was\necho Error: no >&2\nexit 1\n")
    cli.chmod(0o755)
    dumper.file.write_text(dumper.file.read_text() + f'fpga_cli = "{cli}"\n')
    assert _run(dumper, "dump", ID, "--owner", INSTANCE) == 0
    assert (tmp_path / "was").read_text() == "paused"
    text = dumper.settings.runc.read_text()
    failing = 'checkpoint) echo "Error External socket is used" > "$9/dump.log"; exit 1 ;;\n'
    dumper.settings.runc.write_text(text.replace("checkpoint)", failing + "other)"))
    assert _run(dumper, "dump", ID, "--owner", INSTANCE) == 1
    assert "close the connection first (no; CRIU: " in capsys.readouterr().err


def _become(folder: pathlib.Path, status: str) -> None:
    """Change the container's status at once."""
    (folder / "new").write_text(status)
    (folder / "new").rename(folder / "status")


@pytest.fixture
def waiting(dumper: Host, tmp_path: pathlib.Path) -> typing.Iterator[threading.Thread]:
    """A dump that waits until its container is paused."""
    _become(tmp_path, "running")
    statuses: list[int] = []
    dump = threading.Thread(target=lambda: statuses.append(_run(dumper, "dump", ID)))
    dump.statuses = statuses  # type: ignore[attr-defined]
    dump.start()
    while not dumper.settings.ready(ID).is_dir():
        assert dump.is_alive()
        time.sleep(0.01)
    yield dump
    dump.join(60)
    assert not dump.is_alive()


def _end(waiting: threading.Thread) -> int:
    waiting.join(60)
    (status,) = waiting.statuses  # type: ignore[attr-defined]
    return int(status)


def test_a_dump_begins_with_the_pause(
    dumper: Host, waiting: threading.Thread, tmp_path: pathlib.Path
) -> None:
    time.sleep(0.2)
    assert waiting.is_alive()
    assert not (dumper.settings.spool / ID / manifest.CRIU).exists()
    _become(tmp_path, "paused")
    assert _end(waiting) == 0
    assert [path.name for path in dumper.settings.spool.iterdir()] == [ID]
    assert (dumper.settings.spool / ID / manifest.CRIU).is_dir()


@pytest.mark.parametrize("verb", ["discard", "sweep"])
def test_a_dump_that_waits_can_be_removed(
    dumper: Host, waiting: threading.Thread, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(dumper, verb, *([ID] if verb == "discard" else []))
    assert _end(waiting) == 1
    assert "discarded before the container was paused" in capsys.readouterr().err
    assert list(dumper.settings.spool.iterdir()) == []


def test_a_container_that_ends_is_not_waited_for(
    dumper: Host, waiting: threading.Thread, tmp_path: pathlib.Path
) -> None:
    _become(tmp_path, "stopped")
    assert _end(waiting) == 1
    assert list(dumper.settings.spool.iterdir()) == []


def _in_work(dumper: Host, folder: pathlib.Path) -> threading.Thread:
    """A dump that has begun, and goes on once there is a file `go` in a folder."""
    text = dumper.settings.runc.read_text()
    slow = f"checkpoint) touch {folder}/began; while [ ! -e {folder}/go ]; do sleep 0.02; done;"
    dumper.settings.runc.write_text(text.replace("checkpoint)", slow))
    dump = threading.Thread(target=_run, args=(dumper, "dump", ID))
    dump.start()
    while not (folder / "began").exists():
        time.sleep(0.01)
    return dump


def test_a_dump_in_work_is_removed_once_it_ended(dumper: Host, tmp_path: pathlib.Path) -> None:
    dump = _in_work(dumper, tmp_path)
    sweep = threading.Thread(target=_run, args=(dumper, "sweep"))
    sweep.start()
    sweep.join(0.5)
    assert sweep.is_alive()
    (tmp_path / "go").touch()
    for thread in (dump, sweep):
        thread.join(60)
        assert not thread.is_alive()
    assert list(dumper.settings.spool.iterdir()) == []


@pytest.fixture
def process(dumper: Host, tmp_path: pathlib.Path) -> typing.Iterator[subprocess.Popen[bytes]]:
    """The container's only process."""
    with subprocess.Popen(["sleep", "1000"]) as found:
        text = dumper.settings.runc.read_text()
        dumper.settings.runc.write_text(text.replace(f"[{os.getpid()}]", f"[{found.pid}]"))
        yield found
        found.kill()


def test_a_suspended_container_is_dumped_and_killed(
    dumper: Host, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(dumper, "suspend", ID) == 0
    assert process.wait(60) == -signal.SIGKILL
    dump = dumper.settings.suspended(ID)
    assert (dump / manifest.CRIU / "core-1.img").exists()
    assert stat.S_IMODE(dump.stat().st_mode) == 0o700
    assert manifest.load((dump / manifest.MANIFEST).read_bytes()).criu == "4.2.1"
    assert list(dumper.settings.spool.iterdir()) == []
    capsys.readouterr()
    _run(dumper, "sweep")
    assert (dump.is_dir(), capsys.readouterr().out) == (True, f"{ID}\n")
    _run(dumper, "discard", ID)
    assert not dump.exists()


def test_a_container_that_cannot_be_dumped_is_not_killed(
    dumper: Host, process: subprocess.Popen[bytes]
) -> None:
    text = dumper.settings.runc.read_text()
    dumper.settings.runc.write_text(text.replace("checkpoint)", "checkpoint) exit 1 ;; other)"))
    assert _run(dumper, "suspend", ID) == 1
    assert process.poll() is None
    assert not dumper.settings.suspended(ID).exists()


def _failing(host: Host, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No file of a name can be written any more."""
    plain = pathlib.Path.write_bytes

    def write(path: pathlib.Path, data: bytes) -> int:
        if path.name == name:
            path.touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return plain(path, data)

    monkeypatch.setattr(pathlib.Path, "write_bytes", write)


def test_a_suspension_that_fails_after_the_dump_leaves_nothing(
    dumper: Host, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(dumper, monkeypatch, manifest.MANIFEST)
    assert _run(dumper, "suspend", ID) == 1
    assert process.poll() is None
    assert list(dumper.settings.spool.iterdir()) == []
    assert not dumper.settings.suspended(ID).exists()


def test_a_container_that_goes_on_before_its_dump_is_complete_is_not_killed(
    dumper: Host,
    process: subprocess.Popen[bytes],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = dumper.settings.runc.read_text()
    # nova-compute has given the dump up meanwhile.
    goes_on = f"checkpoint) echo running > {tmp_path}/status;"
    dumper.settings.runc.write_text(text.replace("checkpoint)", goes_on))
    assert _run(dumper, "suspend", ID) == 1
    assert "the container is running before its dump is complete" in capsys.readouterr().err
    assert process.poll() is None
    assert list(dumper.settings.spool.iterdir()) == []
    assert not dumper.settings.suspended(ID).exists()


@pytest.mark.usefixtures("process")
def test_a_suspended_container_keeps_its_manifest_if_it_cannot_be_signed(
    dumper: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run(dumper, "suspend", ID) == 0
    file = dumper.settings.suspended(ID) / manifest.MANIFEST
    before = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    _failing(dumper, monkeypatch, manifest.MANIFEST)
    assert _sign(dumper) == 1
    assert file.read_bytes() == before


def test_what_the_host_would_refuse_is_not_signed(
    dumper: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(dumper, "dump", ID) == 0
    monkeypatch.setattr(manifest, "MOST_FILES", 3)
    assert _sign(dumper) == 1
    assert "too many files" in capsys.readouterr().err
    monkeypatch.undo()
    key = dumper.settings.trusted_keys / f"{dumper.key}.pem"
    key.rename(key.with_suffix(".old"))
    assert _sign(dumper) == 1
    assert f"does not trust its own key: {key.parent} lacks {key.name}" in capsys.readouterr().err
    assert not (dumper.settings.spool / ID / manifest.SIGNATURE).exists()


def test_a_container_has_all_privileges_that_it_was_made_with(
    dumper: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a process or a thread gives up, it may have used before, or another thread has it."""
    nothing = containers.Privileges(0, True, True)
    monkeypatch.setattr(containers, "privileges", lambda processes: nothing)
    assert _run(dumper, "dump", ID) == 0
    assert _sign(dumper) == 0
    folder = pathlib.Path(capsys.readouterr().out.splitlines()[-1])
    signed = manifest.load((folder / manifest.MANIFEST).read_bytes()).capabilities
    assert signed == (1 << len(containers._CAPABILITIES)) - 1


@pytest.mark.parametrize(("blocks", "status"), [(5_000_000, 0), (100, 1)])
def test_a_dump_leaves_as_much_room_as_it_takes(
    dumper: Host,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    blocks: int,
    status: int,
) -> None:
    disk = types.SimpleNamespace(f_bavail=blocks, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda path: disk)
    assert _run(dumper, "dump", ID) == status
    assert ("its 1 processes have" in capsys.readouterr().err) == bool(status)


def test_memory_that_forks_share_is_dumped_for_each() -> None:
    script = (
        "import mmap, os, sys\nmemory = os.urandom(50_000_000)\n"
        "shared = mmap.mmap(-1, 50_000_000); shared.write(memory)\n"
        "child = os.fork()\nif child: print(child, flush=True)\nsys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert 100e6 < containers.memory([process.pid]) < 130e6
        assert 150e6 < containers.memory([process.pid, child]) < 200e6
        process.communicate()


def test_a_dump_in_work_has_ended_when_it_is_discarded(
    dumper: Host, tmp_path: pathlib.Path
) -> None:
    dump = _in_work(dumper, tmp_path)
    discard = threading.Thread(target=_run, args=(dumper, "discard", ID))
    discard.start()
    discard.join(0.5)
    assert discard.is_alive()
    assert not (dumper.settings.spool / ID).exists()  # CRIU fails at its next file
    (tmp_path / "go").touch()
    for thread in (dump, discard):
        thread.join(60)
        assert not thread.is_alive()
    assert list(dumper.settings.spool.iterdir()) == []


def test_processes_with_more_than_the_container_are_not_dumped(dumper: Host) -> None:
    bundle = {**BUNDLE, "process": {"capabilities": {"bounding": []}}, "linux": {}}
    (dumper.bundle / "config.json").write_text(json.dumps(bundle))
    with pytest.raises(live_errors.LiveError, match="more privileges"):
        from novadocker.live import settings

        dumping.dump(settings.read(dumper.file), ID)


@pytest.mark.parametrize("name", ["..", "../../etc", ID[:-1], f"{ID}/x", ""])
def test_a_container_is_named_by_its_id_alone(dumper: Host, name: str) -> None:
    assert _run(dumper, "dump", name) == 1
    assert _run(dumper, "discard", name) == 1


def test_what_was_not_dumped_is_not_signed(dumper: Host) -> None:
    assert _sign(dumper) == 1


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        ("Can't dump half of stream unix connection.", "connected to a socket of the host"),
        ("Can't dump file 3 of that type [20666] (chr 10:237)", "has a device open"),
        ("something else", "has something that cannot be dumped"),
    ],
)
def test_reasons_of_criu_are_in_plain_words(reason: str, meaning: str) -> None:
    assert meaning in reasons.meaning(reason)


@pytest.fixture
def tree() -> typing.Iterator[list[int]]:
    """A shell, its child, and a process of ours beside them."""
    shell = subprocess.Popen(["sh", "-c", "sleep 99 & echo $!; wait"], stdout=subprocess.PIPE)
    other = subprocess.Popen(["sleep", "99"])
    assert shell.stdout is not None
    child = int(shell.stdout.readline())
    yield [child, shell.pid, other.pid]
    os.kill(child, signal.SIGKILL)
    for process in (shell, other):
        process.kill()
        process.communicate()


def test_a_process_of_somebody_else_is_found(tree: list[int]) -> None:
    child, shell, other = tree
    parents = containers.alive(tree)
    assert parents == {child: shell, shell: os.getpid(), other: os.getpid()}
    assert containers.strangers(parents, shell) == [other]
    assert containers.strangers({child: shell, shell: 1}, shell) == []
    assert containers.strangers(parents, child) == sorted([shell, other])


def test_a_process_may_have_any_bytes_for_its_name() -> None:
    script = "open('/proc/self/comm', 'wb').write(b') R \\xff'); print(flush=True); input()"
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        assert containers.alive([process.pid]) == {process.pid: os.getpid()}
        assert containers.privileges([process.pid]) == containers.privileges([os.getpid()])
        assert containers.start_time(process.pid) == containers.start_time(process.pid, ["env"])
        process.communicate(b"\n")


def test_a_process_that_has_ended_is_nobodys(tree: list[int]) -> None:
    _child, shell, other = tree
    os.kill(other, signal.SIGKILL)
    # Its parent, this process, has not taken note yet.
    os.waitid(os.P_PID, other, os.WEXITED | os.WNOWAIT)
    assert other not in containers.alive(tree)
    assert containers.strangers(containers.alive([*tree, 2**22 + 1]), shell) == []


def test_a_container_with_a_process_of_somebody_else_is_not_dumped(
    dumper: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    text = dumper.settings.runc.read_text()
    dumper.settings.runc.write_text(text.replace(f"[{os.getpid()}]", f"[{os.getppid()}]"))
    assert _run(dumper, "dump", ID) == 1
    assert "as by 'docker exec'" in capsys.readouterr().err
    assert list(dumper.settings.spool.iterdir()) == []
