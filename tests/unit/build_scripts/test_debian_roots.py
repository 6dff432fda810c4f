# SPDX-License-Identifier: Apache-2.0
"""What roots are made of, what they take over from the machine, and how they are packed."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from debian_roots import archive, builder, machine
from debian_roots.layer import BASE, File, Layer, digests

from tests.distro import stock

SOURCES = "deb http://deb.debian.org/debian bookworm main\n"
ONE, TWO = Layer("one", ("sudo",)), Layer("two", ("curl",), {"/etc/two": File("2\n")})


class TestDigests:
    def test_same_layers_have_the_same_digest(self) -> None:
        assert digests("bookworm", SOURCES, [BASE, ONE]) == digests(
            "bookworm", SOURCES, [BASE, ONE]
        )

    @pytest.mark.parametrize(
        "changed",
        [
            Layer("two", ("curl", "wget"), {"/etc/two": File("2\n")}),
            Layer("two", ("curl",), {"/etc/two": File("3\n")}),
            Layer("two", ("curl",), {"/etc/two": File("2\n", 0o600)}),
            Layer("two", ("curl",), {"/etc/two": File("2\n")}, before="true"),
            Layer("two", ("curl",), {"/etc/two": File("2\n")}, after="true"),
        ],
    )
    def test_change_of_a_layer_changes_it_and_those_above(self, changed: Layer) -> None:
        before = digests("bookworm", SOURCES, [BASE, TWO, ONE])
        after = digests("bookworm", SOURCES, [BASE, changed, ONE])
        assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, False]

    def test_another_suite_or_mirror_changes_all(self) -> None:
        every = [
            digests("bookworm", SOURCES, [BASE])[0],
            digests("trixie", SOURCES, [BASE])[0],
            digests("bookworm", SOURCES.replace("deb.debian", "mirror"), [BASE])[0],
        ]
        assert len({*every}) == 3

    def test_unfinished_root_is_not_current(self, tmp_path: Path) -> None:
        assert not builder.is_current(tmp_path / "stamp", "digest")
        (tmp_path / "stamp").write_text("digest")
        assert builder.is_current(tmp_path / "stamp", "digest")
        assert not builder.is_current(tmp_path / "stamp", "another")


class TestSources:
    def test_sources_of_the_machine_are_used_for_another_suite(self) -> None:
        targets = (
            "http://mirror/debian bookworm\n"
            "http://mirror/debian bookworm-updates\n"
            "http://mirror/debian-security bookworm-security\n"
            "http://mirror/debian bookworm\n"
        )
        assert machine.sources_from("trixie", targets) == (
            "deb http://mirror/debian trixie main\n"
            "deb http://mirror/debian trixie-updates main\n"
            "deb http://mirror/debian-security trixie-security main\n"
        )

    def test_machine_without_sources_has_debians_own(self) -> None:
        assert machine.sources_from("trixie", "") == (
            "deb http://deb.debian.org/debian trixie main\n"
            "deb http://deb.debian.org/debian-security trixie-security main\n"
        )


class TestVariables:
    def test_proxies_and_indexes_are_taken_over(self) -> None:
        environment = {
            "HTTPS_PROXY": "http://proxy:3128",
            "PIP_INDEX_URL": "https://index/simple",
            "UV_DEFAULT_INDEX": "https://index/simple",
            "PIP_CERT": "/etc/ssl/one.pem",
            "SECRET": "x",
            "http_proxy": "",
        }
        found = machine.variables("10.77.0.0/24", environment)
        assert found == {
            "HTTPS_PROXY": "http://proxy:3128",
            "PIP_INDEX_URL": "https://index/simple",
            "UV_DEFAULT_INDEX": "https://index/simple",
            "NO_PROXY": "10.77.0.0/24",
            "no_proxy": "10.77.0.0/24",
        }

    def test_what_needs_no_proxy_on_the_machine_needs_none_in_a_root(self) -> None:
        environment = {"http_proxy": "http://proxy:3128", "no_proxy": "intranet"}
        assert machine.variables("10.77.0.0/24", environment)["no_proxy"] == "intranet,10.77.0.0/24"

    def test_machine_without_proxy_adds_nothing(self) -> None:
        assert machine.variables("10.77.0.0/24", {"PATH": "/bin"}) == {}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small root, with files of the machine's and files of the moment."""
    files = {
        "etc/hostname": "machine",
        "etc/apt/sources.list": "deb http://mirror",
        "etc/apt/apt.conf.d/90host": 'Acquire::http::Proxy "http://me:secret@proxy";',
        "etc/apt/apt.conf.d/01own": "x",
        "etc/pip.conf": "x",
        "etc/ssh/ssh_host_rsa_key": "secret",
        "etc/ssh/sshd_config": "x",
        "usr/bin/program": "x",
        "usr/share/doc/tmp/file": "x",
        "var/lib/apt/lists/mirror_InRelease": "Date: Sat, 17 May 2025 09:00:00 UTC\n",
        "var/lib/apt/lists/mirror_Packages": "x",
        "var/log/dpkg.log": "x",
        "var/log/apt/history.log": "x",
        "proc/cpuinfo": "x",
        "dev/shm/x": "x",
        "tmp/x": "x",
    }
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    os.utime(tmp_path / "root/usr/bin/program", (10**9, 10**9))
    return tmp_path / "root"


class TestArchive:
    def test_archive_has_neither_secrets_nor_what_is_the_machines(self, root: Path) -> None:
        archive.pack(root, root.with_name("root.tar"))
        with tarfile.open(root.with_name("root.tar")) as packed:
            files = {one.name for one in packed if one.isfile()}
            folders = {one.name for one in packed if one.isdir()}
        assert files == {
            "./etc/apt/apt.conf.d/01own",
            "./etc/ssh/sshd_config",
            "./usr/bin/program",
            "./usr/share/doc/tmp/file",
        }
        assert {"./dev", "./proc", "./tmp", "./var/log/apt", "./var/lib/apt/lists"} <= folders

    def test_same_root_gives_the_same_bytes_later(self, root: Path) -> None:
        first, second = root.with_name("first.tar"), root.with_name("second.tar")
        archive.pack(root, first)
        for path in (root / "etc", root / "etc/ssh/sshd_config"):
            os.utime(path, (4 * 10**9, 4 * 10**9))
        archive.pack(root, second)
        assert first.read_bytes() == second.read_bytes()

    def test_times_of_packages_stay(self, root: Path) -> None:
        archive.pack(root, root.with_name("root.tar"))
        with tarfile.open(root.with_name("root.tar")) as packed:
            times = {one.name: one.mtime for one in packed}
        assert times["./usr/bin/program"] == 10**9
        assert times["./etc/ssh/sshd_config"] == 1747472400

    def test_root_without_lists_is_as_new_as_its_packages(self, root: Path) -> None:
        (root / "var/lib/apt/lists/mirror_InRelease").unlink()
        (root / "var/lib/dpkg").mkdir()
        (root / "var/lib/dpkg/status").touch()
        os.utime(root / "var/lib/dpkg/status", (1234567890, 1234567890))
        assert archive.newest(root) == 1234567890

    def test_archive_that_fails_leaves_no_file(self, root: Path) -> None:
        target = root.with_name("missing") / "root.tar"
        with pytest.raises(subprocess.CalledProcessError):
            archive.pack(root, target)
        assert not target.exists()


@pytest.mark.parametrize(
    ("versions", "pinned"),
    [([], None), (["2:26.2.2-1"], None), (["2:26.2.2-1", "2:26.2.1-1"], "2:26.2.1-1")],
)
def test_oldest_nova_is_pinned_where_there_are_two(
    versions: list[str], pinned: str | None, tmp_path: Path
) -> None:
    lines = "".join(f"python3-nova | {one} | http://mirror bookworm/main\\n" for one in versions)
    (tmp_path / "apt-cache").write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    (tmp_path / "apt-cache").chmod(0o755)
    script = stock.STOCK.before.replace(stock.PIN, str(tmp_path / "pin"))
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], env={"PATH": path}, check=True)
    found = tmp_path / "pin"
    expected = f"Package: src:nova\nPin: version {pinned}\nPin-Priority: 1001\n"
    assert (found.read_text() if found.exists() else None) == (expected if pinned else None)


class TestBuilder:
    @pytest.fixture
    def steps(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What a builder does, without debootstrap and apt."""
        steps: list[str] = []

        def bootstrap(_builder: builder.Builder, target: Path) -> None:
            steps.append("bootstrap")
            target.mkdir()

        def install(_builder: builder.Builder, target: Path, layer: Layer) -> None:
            steps.append(layer.name)
            if layer.after == "fail":
                raise subprocess.CalledProcessError(1, layer.name)
            (target / layer.name).touch()

        monkeypatch.setattr(machine, "sources_of", lambda _suite: SOURCES)
        monkeypatch.setattr(builder.Builder, "_bootstrap", bootstrap)
        monkeypatch.setattr(builder.Builder, "_install", install)
        return steps

    def test_root_has_all_layers_and_is_made_once(self, steps: list[str], tmp_path: Path) -> None:
        folder = builder.Builder(tmp_path, "bookworm").make(ONE, TWO)
        assert folder == tmp_path / "two"
        assert {path.name for path in folder.iterdir()} == {"base", "one", "two"}
        assert steps == ["bootstrap", "base", "one", "two"]
        builder.Builder(tmp_path, "bookworm").make(ONE, TWO)
        assert len(steps) == 4

    def test_change_of_a_layer_keeps_those_below(self, steps: list[str], tmp_path: Path) -> None:
        made_by = builder.Builder(tmp_path, "bookworm")
        made_by.make(ONE, TWO)
        (tmp_path / "two/old").touch()
        steps.clear()
        changed = Layer("two", ("wget",))
        assert not (made_by.make(ONE, changed) / "old").exists()
        assert steps == ["two"]

    def test_layer_that_failed_is_made_anew(self, steps: list[str], tmp_path: Path) -> None:
        made_by = builder.Builder(tmp_path, "bookworm")
        with pytest.raises(subprocess.CalledProcessError):
            made_by.make(Layer("one", after="fail"))
        steps.clear()
        made_by.make(ONE)
        assert steps == ["one"]

    def test_unfinished_change_is_not_taken_for_what_was_there(
        self, steps: list[str], tmp_path: Path
    ) -> None:
        made_by = builder.Builder(tmp_path, "bookworm")
        made_by.make(ONE)
        with pytest.raises(subprocess.CalledProcessError):
            made_by.make(Layer("one", after="fail"))
        steps.clear()
        made_by.make(ONE)
        assert steps == ["one"]


def test_file_of_a_root_is_written_again_only_for_another_root(tmp_path: Path) -> None:
    def write(target: Path) -> None:
        written.append(target)
        target.write_text("root")

    def fail(target: Path) -> None:
        raise OSError

    maker, written = builder.Builder(tmp_path / "bookworm", "bookworm"), list[Path]()
    for digest in ("one", "one", "two"):
        with maker.file("a.tar", digest, write) as target:
            assert target.read_text() == "root"
    assert written == [tmp_path / "bookworm" / "a.tar"] * 2
    with pytest.raises(OSError), maker.file("a.tar", "three", fail):
        pass
    with maker.file("a.tar", "two", write):
        assert len(written) == 3
