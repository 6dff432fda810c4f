# SPDX-License-Identifier: Apache-2.0
"""An operator has a live image signed for another project."""

import dataclasses
import hashlib
import pathlib
import syslog
import tarfile

import pytest

from novadocker import live_store
from novadocker.live import command, manifest, signatures
from tests.unit.novadocker.live.conftest import PROJECT, Host

IMAGE = b"layers" * 1000
OTHER = "another"


@pytest.fixture
def archive(host: Host, tmp_path: pathlib.Path) -> pathlib.Path:
    """A live image as Glance has it."""
    host.sign(image=hashlib.sha256(IMAGE).hexdigest())
    image = tmp_path / "layers"
    image.write_bytes(IMAGE)
    live_store.write(tmp_path / "archive", host.image, image)
    return tmp_path / "archive"


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the host's log gets."""
    lines: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _level, text: lines.append(text))
    return lines


def _import(host: Host, archive: pathlib.Path, *more: str) -> int:
    words = ["import", str(archive), "--project", OTHER, "--output", f"{archive}.new"]
    return command.main(["--settings", str(host.file), *words, *more])


def _manifest(archive: pathlib.Path, host: Host) -> manifest.Manifest:
    """What is signed in an archive."""
    with tarfile.open(archive) as opened:
        data, signature = (
            opened.extractfile(name).read()  # type: ignore[union-attr]
            for name in (manifest.MANIFEST, manifest.SIGNATURE)
        )
    signatures.verify(data, signature, host.settings.trusted_keys)
    return manifest.load(data)


def test_an_imported_image_is_the_projects_alone(
    host: Host, archive: pathlib.Path, logged: list[str]
) -> None:
    before = _manifest(archive, host)
    assert _import(host, archive) == 0
    after = _manifest(pathlib.Path(f"{archive}.new"), host)
    assert (before.project, after.project) == (PROJECT, OTHER)
    assert after == dataclasses.replace(before, project=OTHER)
    with tarfile.open(f"{archive}.new") as opened, tarfile.open(archive) as old:
        assert opened.getnames() == old.getnames()
        for name in set(old.getnames()) - {manifest.MANIFEST, manifest.SIGNATURE}:
            assert opened.extractfile(name).read() == old.extractfile(name).read()  # type: ignore[union-attr]
    (line,) = logged
    assert f"of project {PROJECT} signed for project {OTHER} with key {host.key}" in line


def test_a_clone_of_an_imported_image_is_restored_in_that_project(
    host: Host, archive: pathlib.Path, logged: list[str]
) -> None:
    assert _import(host, archive) == 0
    with tarfile.open(f"{archive}.new") as opened:
        for name in (manifest.MANIFEST, manifest.SIGNATURE):
            (host.image / name).write_bytes(opened.extractfile(name).read())  # type: ignore[union-attr]
    assert host.create() == 1
    assert "of another project" in host.reason
    host.write_mark(project=OTHER)
    assert host.create() == 0


@pytest.mark.parametrize(
    "content", [b'"project": "', b'"signature": "', b"memory", b"registers", b"layers"]
)
def test_a_changed_image_is_not_imported(
    host: Host, archive: pathlib.Path, logged: list[str], content: bytes
) -> None:
    data = bytearray(archive.read_bytes())
    data[data.index(content) + len(content) - 1] ^= 1
    archive.write_bytes(data)
    assert _import(host, archive) == 1
    assert not pathlib.Path(f"{archive}.new").exists()
    assert logged == []


@pytest.mark.parametrize("size", [0, 600, 20_000])
def test_an_image_that_is_cut_is_not_imported(host: Host, archive: pathlib.Path, size: int) -> None:
    archive.write_bytes(archive.read_bytes()[:size])
    assert _import(host, archive) == 1


def test_files_that_were_not_signed_are_not_imported(host: Host, archive: pathlib.Path) -> None:
    with tarfile.open(archive, "a") as opened:
        opened.addfile(tarfile.TarInfo("criu/core-2.img"))
    assert _import(host, archive) == 1


def test_an_image_of_another_cloud_needs_its_keys(
    host: Host, archive: pathlib.Path, tmp_path: pathlib.Path, logged: list[str]
) -> None:
    keys = tmp_path / "other"
    keys.mkdir(mode=0o755)
    (host.settings.trusted_keys / f"{host.key}.pem").rename(keys / f"{host.key}.pem")
    signatures.create(host.settings.signing_key, host.settings.trusted_keys)
    assert _import(host, archive) == 1
    assert _import(host, archive, "--keys", str(keys)) == 0
    assert _manifest(pathlib.Path(f"{archive}.new"), host).project == OTHER


def test_an_archive_is_not_replaced(
    host: Host, archive: pathlib.Path, capsys: pytest.CaptureFixture[str], logged: list[str]
) -> None:
    assert _import(host, archive) == 0
    before = pathlib.Path(f"{archive}.new").read_bytes()
    assert _import(host, archive) == 1
    assert "exists" in capsys.readouterr().err
    assert pathlib.Path(f"{archive}.new").read_bytes() == before
    assert len(logged) == 1


@pytest.mark.parametrize("project", ["", "a b", "../x"])
def test_a_project_is_named_by_its_id(host: Host, archive: pathlib.Path, project: str) -> None:
    words = ["import", str(archive), "--project", project, "--output", f"{archive}.new"]
    with pytest.raises(SystemExit):
        command.main(["--settings", str(host.file), *words])
