# SPDX-License-Identifier: Apache-2.0
"""What the OCI runtime restores, and what it refuses before CRIU sees a byte."""

import json
import os
import pathlib
import shutil
import stat

import pytest

from novadocker.live import manifest, runtime, signatures
from tests.unit.novadocker.live.conftest import BUNDLE, ID, Host


def test_a_marked_container_is_restored_instead_of_created(host: Host) -> None:
    assert host.create() == 0
    (words,) = host.asked
    assert words.startswith("--root /r --log")
    assert " restore --detach --no-subreaper --file-locks --image-path " in words
    assert words.endswith(f"--bundle {host.bundle} {ID}")


def test_the_files_are_those_that_were_signed_but_for_the_host_name(host: Host) -> None:
    host.create()
    for name in ("core-1.img", "pages-1.img"):
        assert (host.restored / name).read_bytes() == (host.criu / name).read_bytes()
    uts = (host.restored / "utsns-11.img").read_bytes()
    assert uts == b"MAGICMAG" + b"\x0f\0\0\0" + b"\n\x05clone" + b"\x12\x06(none)"


def test_files_that_are_not_signed_reach_nobody(host: Host) -> None:
    (host.criu / "core-2.img").write_bytes(b"evil")
    assert host.create() == 0
    assert not (host.restored / "core-2.img").exists()


def test_nothing_of_an_image_stays_with_root(host: Host) -> None:
    host.create()
    assert list(host.settings.work.iterdir()) == []


def test_a_start_after_a_restore_starts_nothing(host: Host) -> None:
    host.create()
    assert runtime.main([str(host.file), "--root", "/r", "start", ID]) == 0
    assert len(host.asked) == 1


def test_a_mark_holds_good_once(host: Host) -> None:
    host.create()
    assert not host.mark.exists()


def test_a_mark_of_a_refused_image_holds_good_no_more(host: Host) -> None:
    (host.image / manifest.SIGNATURE).unlink()
    assert host.create() == 1
    assert not host.mark.exists()


@pytest.mark.parametrize("name", ["core-1.img", "pages-1.img", "utsns-11.img"])
@pytest.mark.parametrize("place", [0, -1])
def test_any_changed_byte_is_refused(host: Host, name: str, place: int) -> None:
    data = bytearray((host.criu / name).read_bytes())
    data[place] ^= 1
    (host.criu / name).write_bytes(data)
    assert host.create() == 1
    assert host.asked == []
    assert f"{name} is not the file that was signed" in host.reason


def test_any_changed_byte_of_the_manifest_is_refused(host: Host) -> None:
    path = host.image / manifest.MANIFEST
    good = path.read_bytes()
    for place in range(0, len(good), 97):
        bad = bytearray(good)
        bad[place] ^= 1
        path.write_bytes(bad)
        host.write_mark()
        assert host.create() == 1
    assert host.asked == []


def test_any_changed_byte_of_the_signature_is_refused(host: Host) -> None:
    path = host.image / manifest.SIGNATURE
    table = json.loads(path.read_text())
    first = "A" if table["signature"][0] != "A" else "B"
    path.write_text(json.dumps({**table, "signature": first + table["signature"][1:]}))
    assert host.create() == 1
    assert "is wrong: it was changed" in host.reason
    assert host.asked == []


@pytest.mark.parametrize("name", [manifest.MANIFEST, manifest.SIGNATURE])
def test_an_unsigned_image_is_refused(host: Host, name: str) -> None:
    (host.image / name).unlink()
    assert host.create() == 1
    assert host.asked == []


def test_a_signature_of_a_foreign_key_is_refused(host: Host, tmp_path: pathlib.Path) -> None:
    foreign = tmp_path / "foreign"
    name = signatures.create(foreign / "signing.pem", foreign / "trusted")
    data = (host.image / manifest.MANIFEST).read_bytes()
    signature = signatures.sign(data, foreign / "signing.pem")
    (host.image / manifest.SIGNATURE).write_bytes(signature)
    assert host.create() == 1
    assert f"key {name}, which this host does not trust" in host.reason
    # Not even where it claims to be a key that is trusted.
    claimed = {**json.loads(signature), "key": host.key}
    (host.image / manifest.SIGNATURE).write_text(json.dumps(claimed))
    host.write_mark()
    assert host.create() == 1
    assert host.asked == []


@pytest.mark.parametrize("size", [0, 1, 59999])
def test_a_truncated_image_is_refused(host: Host, size: int) -> None:
    os.truncate(host.criu / "pages-1.img", size)
    assert host.create() == 1
    assert "does not have the size that was signed" in host.reason
    assert host.asked == []


def test_an_image_without_one_of_its_files_is_refused(host: Host) -> None:
    (host.criu / "core-1.img").unlink()
    assert host.create() == 1
    assert host.asked == []


def test_an_image_of_another_project_is_refused(host: Host) -> None:
    host.write_mark(project="another")
    assert host.create() == 1
    assert "it is of another project" in host.reason
    assert host.asked == []


def test_an_image_of_another_bitstream_is_refused(host: Host) -> None:
    host.sign(bitstreams=("a" * 64,))
    assert host.create() == 1
    host.write_mark(bitstreams=["b" * 64])
    assert host.create() == 1
    assert host.asked == []
    host.write_mark(bitstreams=["a" * 64])
    assert host.create() == 0


def test_an_image_of_another_processor_is_refused(host: Host) -> None:
    host.sign(cpu=("avx1024",))
    assert host.create() == 1
    assert "lacks avx1024" in host.reason
    assert host.asked == []


@pytest.mark.parametrize(
    "change", [{"capabilities": 0b1100001}, {"no_new_privileges": False}, {"seccomp": False}]
)
def test_more_privileges_than_the_container_has_are_refused(
    host: Host, change: dict[str, object]
) -> None:
    host.sign(**change)
    assert host.create() == 1
    assert "more privileges" in host.reason
    assert host.asked == []


def test_other_mounts_are_refused_by_name(host: Host) -> None:
    mounts = [*BUNDLE["mounts"], {"destination": "/run/openstack"}]  # type: ignore[misc]
    (host.bundle / "config.json").write_text(json.dumps({**BUNDLE, "mounts": mounts}))
    assert host.create() == 1
    assert "other mounts than its source: /run/openstack" in host.reason


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_file_that_is_something_else_is_refused(host: Host, kind: str) -> None:
    path = host.criu / "core-1.img"
    path.rename(host.image / "elsewhere")
    if kind == "link":
        path.symlink_to(host.image / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert host.create() == 1
    assert host.asked == []


@pytest.mark.parametrize("name", ["../image", ".", "image/..", "none"])
def test_a_mark_names_a_folder_among_the_images(host: Host, name: str) -> None:
    host.write_mark(images=name)
    assert host.create() == 1
    assert host.asked == []


def test_a_container_without_a_mark_is_runcs(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    execs: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: execs.append(words))
    host.mark.unlink()
    host.create()
    for verb in ("start", "kill", "delete"):
        runtime.main([str(host.file), "--root", "/r", verb, ID])
    assert [words[-2] for words in execs] == [str(host.bundle), "start", "kill", "delete"]


def test_a_container_that_is_made_anew_is_started_whatever_a_loss_of_power_left(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    execs: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: execs.append(words))
    host.create()  # it is restored, and the power is lost before its start
    host.create()
    runtime.main([str(host.file), "--root", "/r", "start", ID])
    assert [words[-2] for words in execs] == [str(host.bundle), "start"]


@pytest.mark.parametrize("marked", [True, False])
def test_nova_compute_gets_to_what_root_hands_over_whatever_is_done_first(
    host: Host, monkeypatch: pytest.MonkeyPatch, marked: bool
) -> None:
    monkeypatch.setattr(os, "execv", lambda *_: None)
    host.settings.suspended(ID).mkdir(parents=True)
    for folder in (host.settings.state, host.settings.suspended("")):
        folder.chmod(0o700)
    if not marked:
        host.mark.unlink()
    host.create()
    folders = (host.settings.state, host.settings.spool, host.settings.suspended(""))
    assert [stat.S_IMODE(one.stat().st_mode) for one in folders] == [0o711] * 3
    assert stat.S_IMODE(host.settings.work.stat().st_mode) == 0o700


def test_a_runc_that_is_not_there_is_reported(host: Host) -> None:
    host.mark.unlink()
    host.settings.runc.unlink()
    assert host.create() == 1
    assert host.reason == f"{host.settings.runc} cannot be run: No such file or directory"


def test_a_restore_that_takes_too_long_leaves_no_container(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_SECONDS", 0.5)
    text = host.settings.runc.read_text()
    host.settings.runc.write_text(
        text.replace("while", 'case "$*" in *" restore "*) exec sleep 60;; esac\nwhile')
    )
    assert host.create() == 1
    assert "runc did not end within" in host.reason
    assert host.asked[-1] == f"--root /r delete --force {ID}"


@pytest.mark.parametrize("text", ["[" * 60_000, "{}", "null", '{"images": 1}', "\0", ""])
def test_a_mark_may_have_anything_in_it(host: Host, text: str) -> None:
    host.mark.write_text(text)
    assert host.create() == 1
    assert "cannot be read" in host.reason
    assert not host.mark.exists()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 4096,
        " " * 4097,
        '{"key": 1, "signature": ""}',
        '{"key": "\\u001b[2J", "signature": ""}',
    ],
)
def test_a_signature_may_have_anything_in_it(host: Host, text: str) -> None:
    (host.image / manifest.SIGNATURE).write_text(text)
    assert host.create() == 1
    assert host.asked == []
    assert "its signature " in host.reason or "live.sig is too large" in host.reason
    assert host.reason.isprintable()


def test_a_delete_before_the_start_forgets_the_restore(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    execs: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: execs.append(words))
    host.create()
    for verb in ("delete", "start"):
        runtime.main([str(host.file), "--root", "/r", verb, ID])
    assert [words[-2] for words in execs] == ["delete", "start"]


def test_a_failure_of_criu_is_told_and_leaves_no_container(host: Host) -> None:
    host.settings.runc.write_text(
        f'#!/bin/sh\necho "$@" >> {host.bundle.parent}/asked\n'
        'while [ $# -gt 0 ]; do\n[ "$1" != --work-path ] || { echo "(00.1) Error (criu/x.c:1): '
        'no way \033[2J" > "$2/restore.log"; exit 1; }\nshift; done\n'
    )
    assert host.create() == 1
    # A file of the server's may have any name.
    assert host.reason == "the live image is not restored: CRIU: no way  [2J"
    assert host.asked[-1] == f"--root /r delete --force {ID}"


@pytest.fixture
def suspended(host: Host) -> pathlib.Path:
    """The dump of a container that is suspended; its mark says so."""
    dump = host.settings.suspended(ID)
    shutil.copytree(host.image, dump)
    (dump / manifest.SIGNATURE).unlink()  # it never leaves root, so nobody signs it
    host.mark.write_text(json.dumps({"suspended": True}))
    return dump


def test_a_suspended_container_is_restored_from_its_own_dump_which_is_removed(
    host: Host, suspended: pathlib.Path
) -> None:
    assert host.create() == 0
    assert f" --image-path {suspended}/criu " in host.asked[0]
    assert (host.restored / "pages-1.img").read_bytes() == (host.criu / "pages-1.img").read_bytes()
    assert not suspended.exists()
    assert not host.mark.exists()


def test_a_container_that_starts_without_a_mark_loses_its_dump(
    host: Host, suspended: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "execv", lambda *_: None)
    host.mark.unlink()
    host.create()
    assert not suspended.exists()


@pytest.mark.parametrize("change", [{"capabilities": 0b1100001}, {"cpu": ("avx1024",)}])
def test_a_dump_that_does_not_fit_is_not_restored_and_stays(
    host: Host, suspended: pathlib.Path, change: dict[str, object]
) -> None:
    (suspended / manifest.MANIFEST).write_bytes(host.described(**change).dump())
    assert host.create() == 1
    assert host.asked == []
    assert suspended.is_dir()


def test_no_other_container_has_the_dump(host: Host, suspended: pathlib.Path) -> None:
    suspended.rename(suspended.with_name("cd" * 32))
    assert host.create() == 1
    assert "there is no dump of the container" in host.reason


def test_a_failure_of_criu_leaves_the_dump(host: Host, suspended: pathlib.Path) -> None:
    host.settings.runc.write_text("#!/bin/sh\nexit 1\n")
    assert host.create() == 1
    assert suspended.is_dir()


def test_options_before_the_command_are_passed_over() -> None:
    words = ["--debug", "--root", "create", "--log=start", "--systemd-cgroup", "create"]
    assert runtime.command_at(words) == 5
