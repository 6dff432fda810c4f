# SPDX-License-Identifier: Apache-2.0
"""What the hosts need of the machine's kernel: control groups, and a file system for images."""

import pathlib
import subprocess

from local_hosts.model import LocalHostsError, key_of

_CGROUP = pathlib.Path("/sys/fs/cgroup")


def control_group(folder: pathlib.Path) -> str:
    """The parent of the control groups of the hosts of a folder."""
    return f"/fpga-nova-hosts-{key_of(folder)}"


def check_control_groups() -> None:
    """Have what systemd needs in a host.

    :raises LocalHostsError: the machine has no control groups mounted
    """
    if (_CGROUP / "cgroup.controllers").exists():
        return
    if not (_CGROUP / "devices/tasks").exists():
        raise LocalHostsError("control groups are not mounted: install cgroupfs-mount")
    named = _CGROUP / "systemd"
    if not (named / "tasks").exists():
        # Version 1 without systemd on the machine: the hosts' systemd uses this hierarchy alone.
        named.mkdir(exist_ok=True)
        options = ["-o", "none,name=systemd", "cgroup", str(named)]
        subprocess.run(["mount", "-t", "cgroup", *options], check=True)


def remove_control_groups(folder: pathlib.Path) -> None:
    """Remove the control groups of hosts that do not run any more."""
    for top in (_CGROUP, *_CGROUP.glob("*")):
        path = top / control_group(folder).lstrip("/")
        if path.is_dir():
            removal = ["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]
            subprocess.run(["find", str(path), *removal], check=False, stderr=subprocess.DEVNULL)


def storage_driver(folder: pathlib.Path) -> str:
    """How the engine in a folder stores images: overlays, or copies where there are none."""
    choice = folder / "engine/driver"
    if not choice.exists():
        choice.parent.mkdir(parents=True, exist_ok=True)
        choice.write_text("overlay2" if _has_overlays(folder / "engine/try") else "vfs")
    return choice.read_text()


def _has_overlays(scratch: pathlib.Path) -> bool:
    """Whether an overlay can be mounted there; not upon every file system."""
    for name in ("lower", "upper", "work", "merged"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    layers = ",".join(f"{name}dir={scratch / name}" for name in ("lower", "upper", "work"))
    script = f"mount -t overlay -o {layers} overlay {scratch}/merged"
    done = subprocess.run(
        # Its mount ends with it.
        ["unshare", "--mount", "sh", "-c", script],
        check=False,
        capture_output=True,
    )
    subprocess.run(["rm", "-rf", "--one-file-system", str(scratch)], check=True)
    return done.returncode == 0
