# SPDX-License-Identifier: Apache-2.0
"""What is looked at before anything is changed."""

import os
import pathlib
import shutil

from local_hosts import kernel, services
from local_hosts.model import LocalHostsError

#: Bytes of an image, its layer in the engine, and what a host writes.
_SPACE = 2 << 30


def check(folder: pathlib.Path) -> None:
    """Refuse what cannot work.

    :raises LocalHostsError: with all reasons, and what to do about each
    """
    if os.geteuid() != 0:
        raise LocalHostsError("local hosts are made by root: use sudo")
    problems = []
    if missing := services.missing_packages():
        problems.append(f"these Debian packages are missing: apt-get install {' '.join(missing)}")
    for device in ("/dev/net/tun", "/dev/fuse"):
        if not pathlib.Path(device).exists():
            problems.append(f"{device} is missing: load the kernel's module")
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if (free := shutil.disk_usage(there).free) < _SPACE:
        problems.append(f"{there} has {free >> 20} MiB free, and hosts need {_SPACE >> 20} MiB")
    try:
        services.check_folder(folder)
        kernel.check_control_groups()
    except LocalHostsError as e:
        problems.append(str(e))
    if problems:
        raise LocalHostsError("\n".join(problems))
