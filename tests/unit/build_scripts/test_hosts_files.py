# SPDX-License-Identifier: Apache-2.0
"""The files that the machine has for a host, and how the host takes them over."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from local_hosts import files, image, model
from local_hosts.model import Site

SITE = model.extend(Site(model.network(model.SUBNET)), model.default_requests(2), model.SUITES[0])

needs_apt = pytest.mark.skipif(shutil.which("apt-config") is None, reason="needs apt")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@needs_apt
class TestFiles:
    def test_private_files_are_private(self, tmp_path: Path) -> None:
        written = files.Files(tmp_path)
        written.write(SITE)
        first = written.of(SITE.hosts[0]) / "files/first"
        assert mode(written.of(SITE.hosts[0]) / "files") == mode(written.keys) == 0o700
        assert mode(first / "etc/ssh/ssh_host_ed25519_key") == 0o600
        assert mode(first / "root/.ssh") == 0o700
        assert mode(first / "etc/apt") == 0o755
        assert mode(written.keys / "id_ed25519") == 0o600

    def test_host_takes_the_key_that_ssh_has_for_it(self, tmp_path: Path) -> None:
        written = files.Files(tmp_path)
        written.write(SITE)
        for host in SITE.hosts:
            first = written.of(host) / "files/first"
            public = (first / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[1]
            line = f"{host.name},{host.address} ssh-ed25519 {public}"
            assert line in (written.keys / "known_hosts").read_text().splitlines()
            own = (written.keys / "id_ed25519.pub").read_text()
            assert (first / "root/.ssh/authorized_keys").read_text() == own

    def test_keys_stay_when_a_host_is_renamed(self, tmp_path: Path) -> None:
        written = files.Files(tmp_path)
        written.write(SITE)
        before = (written.keys / "known_hosts").read_text()
        written.write(model.rename(SITE, "compute1", "fpga1"))
        after = (written.keys / "known_hosts").read_text()
        assert after == before.replace("compute1", "fpga1")
        names = written.of(SITE.hosts[1]) / "files/always/etc"
        assert (names / "hostname").read_text() == "fpga1\n"
        assert "10.77.0.12 fpga1\n" in (names / "hosts").read_text()

    @needs_root
    def test_host_takes_its_files_over_and_keeps_its_folders(self, tmp_path: Path) -> None:
        files.Files(tmp_path).write(SITE)
        target = tmp_path / "root"
        (target / "etc").mkdir(parents=True)
        (target / "etc").chmod(0o711)
        (target / "etc/hosts").write_text("old")
        script = image.HOST.files[image.START].text
        given = files.Files(tmp_path).of(SITE.hosts[0]) / "files"
        script = script.replace(image.FILES, str(given)).replace(
            "--directory=/ ", f"--directory={target} "
        )
        script = script.replace('"$(cat /etc/hostname)"', f'"$(cat {target}/etc/hostname)"')
        command = ["unshare", "--uts", "sh", "-c", 'sh -c "$1" host-start files; hostname', "sh"]
        done = subprocess.run([*command, script], check=True, capture_output=True, text=True)
        assert done.stdout == "controller\n"
        assert "10.77.0.12 compute1" in (target / "etc/hosts").read_text()
        assert mode(target / "etc") == 0o711


def test_start_is_a_script_that_the_shell_takes() -> None:
    script = image.HOST.files[image.START].text
    subprocess.run(["sh", "-n"], input=script, check=True, text=True)
    subprocess.run(["sh", "-n"], input=image.HOST.after, check=True, text=True)
