# SPDX-License-Identifier: Apache-2.0
"""The root that the tests copy: a Debian with a cloud's packages, none configured or started."""

import collections.abc
import contextlib
import pathlib
import subprocess

from debian_roots import builder, root
from debian_roots.layer import File, Layer

#: Packages of a cloud on one host, and what its operator works with.
PACKAGES = (
    *("ca-certificates", "iproute2", "procps", "debsums", "sudo", "curl"),
    *("mariadb-server", "rabbitmq-server", "keystone", "glance-api", "placement-api"),
    *("neutron-api", "nova-api", "nova-conductor", "nova-scheduler", "nova-compute"),
    *("nova-compute-ironic", "python3-openstackclient", "python3-novaclient"),
    *("python3-osc-placement", "python3-pymysql"),
)

#: Where an engine in the root has its control groups, which are the host's.
CGROUP = "/fpga-nova-distro"

#: Holds Nova back while another version is to be had; remove it to upgrade.
PIN = "/etc/apt/preferences.d/nova-before"

#: Nova in the oldest version: there may be one to upgrade to.
_OLDEST = f"""
versions=$(apt-cache madison python3-nova | cut -d '|' -f 2)
if [ "$(printf '%s\\n' $versions | sort -u | wc -l)" -gt 1 ]; then
    oldest=$(printf '%s\\n' $versions | tail -n 1)
    printf 'Package: src:nova\\nPin: version %s\\nPin-Priority: 1001\\n' "$oldest" > {PIN}
fi
"""

#: Without an init system, packages start their services only where they are told that they may.
_LET_START = """
printf '#!/bin/sh\\nexit 0\\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
"""

STOCK = Layer(
    "stock",
    PACKAGES,
    {
        "/etc/hostname": File("controller\n"),
        "/etc/hosts": File("127.0.0.1 localhost controller\n::1 localhost\n"),
    },
    before=_OLDEST,
    after=_LET_START,
)


def make(folder: pathlib.Path, suite: str) -> pathlib.Path:
    """Make the root, unless the same was made before.

    :param folder: of this suite; holds the downloaded packages, too
    :returns: its folder
    """
    return builder.Builder(folder, suite).make(STOCK)


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
