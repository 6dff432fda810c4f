# SPDX-License-Identifier: Apache-2.0
"""The root that the tests copy: a Debian with a cloud's packages, none configured or started."""

import collections.abc
import contextlib
import hashlib
import pathlib
import shutil
import subprocess

from tests.distro import root

#: Packages of a cloud on one host, and what its operator works with.
PACKAGES = (
    *("ca-certificates", "iproute2", "procps", "debsums", "sudo", "curl"),
    *("mariadb-server", "rabbitmq-server", "keystone", "glance-api", "placement-api"),
    *("neutron-api", "nova-api", "nova-conductor", "nova-scheduler", "nova-compute"),
    *("nova-compute-ironic", "python3-openstackclient", "python3-novaclient"),
    *("python3-osc-placement", "python3-pymysql"),
)

_DEBIAN = "http://deb.debian.org/debian"

#: Where an engine in the root has its control groups, which are the host's.
CGROUP = "/fpga-nova-distro"

#: Holds Nova back while another version is to be had; remove it to upgrade.
PIN = "/etc/apt/preferences.d/nova-before"


def make(folder: pathlib.Path, suite: str) -> pathlib.Path:
    """Make the root, unless the same was made before.

    :param folder: of this suite; holds the downloaded packages, too
    :returns: its folder
    """
    folder_of_root, stamp = folder / "stock", folder / "stock.stamp"
    sources = sources_of(suite)
    digest = hashlib.sha256("\n".join([suite, sources, *PACKAGES]).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return folder_of_root
    stamp.unlink(missing_ok=True)
    root.remove(folder_of_root)
    (folder / "debs/partial").mkdir(parents=True, exist_ok=True)
    mirror = sources.split()[1]
    arguments = [
        "--variant=minbase",
        f"--cache-dir={folder / 'debs'}",
        suite,
        str(folder_of_root),
        mirror,
    ]
    subprocess.run(
        ["unshare", "--mount", "debootstrap", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    _settle(folder_of_root, sources)
    with enter(folder_of_root) as debian:
        _install(debian)
    stamp.write_text(digest)
    return folder_of_root


@contextlib.contextmanager
def enter(folder: pathlib.Path) -> collections.abc.Iterator[root.Root]:
    """Run a root, with the packages that were downloaded at hand."""
    pip = folder.parent.parent / "pip"
    pip.mkdir(exist_ok=True)
    binds = {"/var/cache/apt/archives": folder.parent / "debs", "/root/.cache/pip": pip}
    try:
        with root.Root(folder, binds) as debian:
            yield debian
    finally:
        # Those of another suite's engine are in use, and stay.
        removal = ["-depth", "-type", "d", "-path", f"*{CGROUP}*", "-exec", "rmdir", "{}", "+"]
        subprocess.run(["find", "/sys/fs/cgroup", *removal], check=False, stderr=subprocess.DEVNULL)


def sources_of(suite: str) -> str:
    """The sources of the host, for another suite; Debian's own where the host tells none."""
    output = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"),
            *("Created-By: Packages", "Origin: Debian", "Component: main"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line.split() for line in output.stdout.splitlines()]
    if not found:
        found = [[_DEBIAN, suite], [f"{_DEBIAN}-security", f"{suite}-security"]]
    own = min((codename for _, codename in found), key=len)
    lines = [f"deb {uri} {codename.replace(own, suite)} main\n" for uri, codename in found]
    return "".join(dict.fromkeys(lines))


def _settle(folder: pathlib.Path, sources: str) -> None:
    """What the root has of the host's: how packages are fetched, and whom it trusts for that."""
    debian = root.Root(folder, {})
    debian.write("/etc/apt/sources.list", sources)
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    lines = [line for line in dumped.stdout.splitlines() if line.startswith("Acquire::")]
    lines += ['APT::Get::Assume-Yes "true";', 'APT::Install-Recommends "false";']
    lines += ['DPkg::Options { "--force-confold"; };']
    debian.write("/etc/apt/apt.conf.d/90host", "\n".join(lines) + "\n")
    for path in map(pathlib.Path, ("/usr/local/share/ca-certificates", "/etc/pip.conf")):
        if path.is_dir():
            shutil.copytree(path, folder / path.relative_to("/"), dirs_exist_ok=True)
        elif path.exists():
            shutil.copy(path, folder / path.relative_to("/"))
    debian.write("/etc/dpkg/dpkg.cfg.d/fast", "force-unsafe-io\n")
    debian.write("/etc/hostname", "controller\n")
    debian.write("/etc/hosts", "127.0.0.1 localhost controller\n::1 localhost\n")
    debian.write("/etc/resolv.conf", "nameserver 10.0.2.3\n")


def _install(debian: root.Root) -> None:
    """Install the packages, Nova's in the oldest version: there may be one to upgrade to."""
    _let_start(debian, "exit 101")
    debian.run("apt-get update")
    versions = debian.run("apt-cache madison python3-nova | cut -d '|' -f 2").split()
    if len(set(versions)) > 1:
        pin = f"Package: src:nova\nPin: version {versions[-1]}\nPin-Priority: 1001\n"
        debian.write(PIN, pin)
    debian.run(f"apt-get install {' '.join(PACKAGES)}")
    # Without an init system, packages start their services only where they are told that they may.
    _let_start(debian, "exit 0")


def _let_start(debian: root.Root, answer: str) -> None:
    debian.write("/usr/sbin/policy-rc.d", f"#!/bin/sh\n{answer}\n", mode=0o755)
