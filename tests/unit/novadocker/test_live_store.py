# SPDX-License-Identifier: Apache-2.0
"""A confined process takes live images apart; what no trusted key has signed is refused."""

import errno
import hashlib
import io
import os
import pathlib
import shutil
import tarfile
import typing

import pytest
from oslo_config import fixture as config_fixture

from fpga_nova.container_image import indexing
from novadocker import errors, live_store
from novadocker.live import manifest, places, signatures
from tests.unit.novadocker.live.conftest import Host

NAME = "fpga-nova/0e8a4ac6-5f0c-4f9e-8a55-0d1c7a3c2b11:abc"
IMAGE = b"layers" * 1000


@pytest.fixture
def stored(tmp_path: pathlib.Path) -> typing.Iterator[Host]:
    """A host whose nova-compute unpacks images."""
    found = Host(tmp_path)
    fixture = config_fixture.Config(live_store.CONF)
    fixture.setUp()
    fixture.config(live_images=True, live_settings=str(found.file), group="docker")
    yield found
    fixture.cleanUp()


def _archive(host: Host, **changes: bytes | None) -> pathlib.Path:
    """What Glance has: a live image, with other files instead."""
    host.sign(image=hashlib.sha256(IMAGE).hexdigest())
    image = host.image.parent / "layers"
    image.write_bytes(IMAGE)
    path = host.image.parent / "fetched"
    path.unlink(missing_ok=True)
    live_store.write(path, host.image, image)
    image.unlink()
    if changes:
        with tarfile.open(path) as old:
            files: dict[str, bytes | None] = {
                member.name: old.extractfile(member).read()  # type: ignore[union-attr]
                for member in old
            }
        files |= {name.replace("__", "/").replace("_dot_", "."): v for name, v in changes.items()}
        with tarfile.open(path, "w") as new:
            for name, data in files.items():
                if data is not None:
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    new.addfile(entry, io.BytesIO(data))
    return path


def test_an_image_is_taken_apart(stored: Host) -> None:
    image = live_store.unpack(_archive(stored), "id", NAME)
    assert image.read_bytes() == IMAGE
    folder = live_store.folder_of(NAME)
    assert sorted(path.name for path in folder.iterdir()) == ["criu", "live.json", "live.sig"]
    assert (folder / "criu/pages-1.img").read_bytes() == (stored.criu / "pages-1.img").read_bytes()
    assert live_store.described(NAME).image == hashlib.sha256(IMAGE).hexdigest()


def test_an_image_that_is_removed_is_not_complete(stored: Host) -> None:
    live = {"container_format": "live"}
    live_store.unpack(_archive(stored), "id", NAME)
    assert live_store.complete(live, NAME)
    live_store.remove_all_but([NAME])
    assert live_store.complete(live, NAME)
    live_store.remove(NAME)
    assert not live_store.complete(live, NAME)
    assert live_store.complete({"container_format": "docker"}, NAME)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"live_dot_sig": None}, "it is not signed"),
        ({"live_dot_json": None}, "it is not signed"),
        ({"live_dot_json": b"{}"}, "it was changed"),
        ({"live_dot_sig": b"[]"}, "its signature cannot be read"),
        ({"image_dot_tar": IMAGE[:-1]}, "its files are not those that were signed"),
        ({"image_dot_tar": None}, "it lacks the file image.tar"),
        ({"criu__x__y": b""}, "it has the file 'criu/x/y'"),
        ({"_dot__dot___evil": b""}, "it has the file"),
        ({"more": b""}, "it has the file 'more'"),
    ],
)
def test_another_image_is_refused(
    stored: Host, changes: dict[str, bytes | None], reason: str
) -> None:
    with pytest.raises(errors.BadImage, match=reason):
        live_store.unpack(_archive(stored, **changes), "id", NAME)
    assert not live_store.folder_of(NAME).exists()
    assert not list(stored.image.parent.glob(".*"))


@pytest.mark.parametrize("size", [0, 100, 600, 20_000])
def test_an_archive_that_is_cut_is_refused(stored: Host, size: int) -> None:
    path = _archive(stored)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(errors.BadImage):
        live_store.unpack(path, "id", NAME)


def test_the_files_of_many_processes_are_found(tmp_path: pathlib.Path) -> None:
    """CRIU has nine for each: of as many as a container may have, 37 000."""
    names = [f"criu/fdinfo-{number}.img" for number in range(37_000)]
    with tarfile.open(tmp_path / "archive", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    with (tmp_path / "archive").open("rb") as opened:
        assert list(indexing.index(opened, manifest.MOST_FILES)) == names


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_an_archive_with_something_else_than_files_is_refused(stored: Host, kind: bytes) -> None:
    path = _archive(stored)
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("criu/core-1.img")
        entry.type, entry.linkname = kind, "/etc/shadow"
        archive.addfile(entry)
    with pytest.raises(errors.BadImage, match="not a plain file"):
        live_store.unpack(path, "id", NAME)


def test_two_files_of_one_name_are_refused(stored: Host) -> None:
    path = _archive(stored)
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("live.json"))
    with pytest.raises(errors.BadImage, match="two of one name"):
        live_store.unpack(path, "id", NAME)


def test_a_key_that_is_not_trusted_is_refused(stored: Host, tmp_path: pathlib.Path) -> None:
    path = _archive(stored)
    (stored.settings.trusted_keys / f"{stored.key}.pem").unlink()
    signatures.create(tmp_path / "other.pem", stored.settings.trusted_keys)
    # Another host may trust it.
    with pytest.raises(errors.ImageNotReady, match="does not trust"):
        live_store.unpack(path, "id", NAME)


def test_only_an_image_that_is_damaged_is_fetched_again(stored: Host) -> None:
    live_store.unpack(_archive(stored), "id", NAME)
    folder = live_store.folder_of(NAME)
    live_store.remove_damaged(NAME)
    assert folder.is_dir()
    (folder / "criu" / "pages-1.img").write_bytes(b"memory")
    live_store.remove_damaged(NAME)
    assert not folder.exists()
    live_store.remove_damaged(NAME)


def test_an_image_that_the_engine_loads_now_keeps_its_parts(stored: Host) -> None:
    live_store.unpack(_archive(stored), "id", NAME)
    live_store.remove_all_but([])
    assert live_store.folder_of(NAME).is_dir()
    os.utime(live_store.folder_of(NAME), (0, 0))
    live_store.remove_all_but([])
    assert not live_store.folder_of(NAME).exists()


def test_what_a_dead_process_left_is_removed(stored: Host) -> None:
    part = stored.image.parent / ".0123"
    part.mkdir()
    live_store.unpack(_archive(stored), "id", NAME).unlink()
    assert not part.exists()
    # In place of the one that is there.
    live_store.unpack(_archive(stored), "id", NAME).unlink()
    assert sorted(path.name for path in stored.image.parent.iterdir()) == [
        live_store.folder_of(NAME).name,
        "image",
    ]


def test_an_image_is_on_disk_before_it_is_there(
    stored: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[str] = set()
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        synced.add(pathlib.Path(f"/proc/self/fd/{descriptor}").readlink().name)
        assert not live_store.folder_of(NAME).exists()
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    live_store.unpack(_archive(stored), "id", NAME)
    assert synced >= {"live.json", "live.sig", "core-1.img", "pages-1.img", "criu"}


def test_a_full_disk_is_the_hosts_and_not_the_images(
    stored: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    archive = _archive(stored)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.ImageNotReady, match="No space left"):
        live_store.unpack(archive, "id", NAME)
    assert not live_store.folder_of(NAME).exists()
    assert not list(stored.image.parent.glob(".*"))


def test_a_user_who_does_not_get_to_a_folder_of_roots_learns_which(stored: Host) -> None:
    places.prepare(stored.settings)
    live_store.check_access()
    shutil.rmtree(stored.settings.suspended(""))
    reason = f"does not get to {stored.settings.suspended('')} .No such file or directory.: permit"
    with pytest.raises(errors.NoLiveImage, match=reason):
        live_store.check_access()


def test_settings_that_others_can_change_are_refused(stored: Host) -> None:
    stored.file.chmod(0o666)
    with pytest.raises(errors.NoLiveImage, match="can be changed by others than root"):
        live_store.folder_of(NAME)


def test_the_size_of_an_archive_is_known_before_it_is_written(stored: Host) -> None:
    archive = _archive(stored)
    (image := archive.with_name("layers")).write_bytes(IMAGE)
    most = live_store.size(stored.image, image)
    assert archive.stat().st_size <= most <= archive.stat().st_size + 100_000


def test_the_archive_tells_nothing_of_its_host(stored: Host) -> None:
    with tarfile.open(_archive(stored)) as archive:
        for member in archive:
            assert (member.uid, member.uname, member.mtime) == (0, "", 0)
        assert archive.getnames()[:2] == [manifest.MANIFEST, manifest.SIGNATURE]
