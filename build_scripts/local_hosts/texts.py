# SPDX-License-Identifier: Apache-2.0
"""Files that say where the hosts are: for each of them, for ssh, and for Ansible."""

import collections.abc
import pathlib
import typing

from local_hosts.model import Site

_PYTHON = "/usr/bin/python3"


def hosts(site: Site) -> str:
    """/etc/hosts of each host: all hosts, and the machine."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{host.address} {host.name}" for host in site.hosts]
    lines += [f"{site.network.machine} machine"]
    return "\n".join(lines) + "\n"


def resolver(site: Site) -> str:
    """/etc/resolv.conf of each host."""
    return f"nameserver {site.network.nameserver}\n"


def environment(variables: collections.abc.Mapping[str, str]) -> str:
    """/etc/environment, as pam_env reads it: no quotes, one line each."""
    pairs = ((name, value) for name, value in sorted(variables.items()) if "\n" not in value)
    return "".join(f"{name}={value}\n" for name, value in pairs)


def known_hosts(site: Site, keys: collections.abc.Mapping[int, str]) -> str:
    """Which key each host has, by name and address.

    :param keys: public keys by the host's number, as ssh-keygen writes them
    """
    lines = (
        f"{host.name},{host.address} {' '.join(keys[host.number].split()[:2])}\n"
        for host in site.hosts
    )
    return "".join(lines)


def ssh_config(site: Site, folder: pathlib.Path) -> str:
    """Configuration of ssh that reaches each host by its name.

    :param folder: of the keys
    """
    general = {
        "User": site.user,
        "IdentityFile": f"{folder}/id_ed25519",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f"{folder}/known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": "10",
    }
    lines = []
    for host in site.hosts:
        lines += [f"Host {host.name} {host.address}", f"    HostName {host.address}"]
        lines += [f"    {key} {value}" for key, value in general.items()]
    return "\n".join(lines) + "\n"


def inventory(site: Site, folder: pathlib.Path) -> dict[str, dict[str, typing.Any]]:
    """How Ansible reaches each host: its variables by its name.

    :param folder: of the keys
    """
    return {
        host.name: {
            "ansible_host": host.address,
            "ansible_user": site.user,
            "ansible_connection": "ssh",
            "ansible_python_interpreter": _PYTHON,
            "ansible_ssh_private_key_file": f"{folder}/id_ed25519",
            "ansible_ssh_common_args": f"-F {folder}/config",
            "internal_address": host.address,
        }
        for host in site.hosts
    }
