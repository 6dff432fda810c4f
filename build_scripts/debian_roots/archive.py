# SPDX-License-Identifier: Apache-2.0
"""Packs a root for an image: the same root gives the same bytes, without what is the machine's."""

import collections.abc
import email.utils
import pathlib
import re
import subprocess

from debian_roots import machine

#: What each container has of its own, what is of the moment, and what can be had again.
_EXCLUDED = (
    *("dev/*", "proc/*", "run/*", "sys/*", "tmp/*", "var/tmp/*", "root/.cache"),
    *("etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/ssh/ssh_host_*"),
    *("var/cache/apt/*.bin", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*"),
    *("var/cache/ldconfig/aux-cache", "var/lib/systemd/random-seed"),
    *("etc/*-", "var/cache/debconf/*-old", "var/lib/dpkg/*-old", "usr/sbin/policy-rc.d"),
    *("var/log/*.log", "var/log/apt/*", "var/log/[bw]tmp", "var/log/lastlog", "var/log/journal/*"),
    *("var/log/faillog",),
)


def pack(root: pathlib.Path, target: pathlib.Path) -> None:
    """Write a root's tar.

    :raises subprocess.CalledProcessError: tar failed, for example because the disk is full
    """
    unfinished = target.with_name(f".{target.name}.part")
    subprocess.run(command(root, unfinished, newest(root)), check=True)
    unfinished.replace(target)


def command(root: pathlib.Path, target: pathlib.Path, newest_time: int) -> list[str]:
    """The call of tar.

    :param newest_time: seconds since 1970; files that are newer get this time
    """
    excluded = (*_EXCLUDED, *(path.lstrip("/") for path in machine.PATHS))
    return [
        *("tar", "--create", f"--file={target}", f"--directory={root}"),
        *("--sort=name", "--numeric-owner", f"--mtime=@{newest_time}", "--clamp-mtime"),
        *("--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"),
        *("--xattrs", "--xattrs-include=security.capability"),
        *("--anchored", "--no-wildcards-match-slash"),
        *(f"--exclude=./{pattern}" for pattern in excluded),
        ".",
    ]


def newest(root: pathlib.Path) -> int:
    """When the packages of a root were published at the latest, in seconds since 1970.

    Times of files that packages bring are older, and stay: Python compares them with those in its
    compiled modules.
    """
    lists = (root / "var/lib/apt/lists").glob("*Release")
    dates = dates_of(path.read_text(errors="replace") for path in lists)
    if dates:
        return max(dates)
    return int((root / "var/lib/dpkg/status").stat().st_mtime)


def dates_of(releases: collections.abc.Iterable[str]) -> list[int]:
    """The dates of Release files; https://wiki.debian.org/DebianRepository/Format."""
    found = (re.search(r"^Date: (.+)$", text, re.MULTILINE) for text in releases)
    parsed = (email.utils.parsedate_to_datetime(one[1]) for one in found if one)
    return [int(date.timestamp()) for date in parsed]
