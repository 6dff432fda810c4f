# SPDX-License-Identifier: Apache-2.0
"""What a container may do on its host: capabilities, system calls, its root file system."""

import typing

from oslo_config import cfg
from oslo_log import log as logging

from novadocker import errors

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Where a container with a read-only root may write, into its own memory.
_WRITABLE = {"/run": "", "/tmp": ""}  # noqa: S108 - of the container


def options(read_only: bool) -> dict[str, typing.Any]:
    """The privileges among the arguments of the SDK's ``containers.create``.

    No profile for seccomp or AppArmor is named, so that the engine's own ones apply.

    :param read_only: whether the container cannot write to its root file system
    """
    return {
        "cap_drop": ["ALL"],
        "cap_add": list(CONF.docker.capabilities),
        "security_opt": ["no-new-privileges"],
        "read_only": read_only,
        "tmpfs": _WRITABLE if read_only else None,
    }


def report() -> None:
    """Log what containers may do, and so read the option, when the service starts.

    :raises oslo_config.cfg.ConfigFileValueError: it names what no container may have
    """
    LOG.info("Capabilities of containers: %s", ", ".join(CONF.docker.capabilities) or "none")


def check_engine(info: typing.Mapping[str, typing.Any]) -> None:
    """See that the engine filters the system calls of containers.

    :param info: what the engine tells about itself
    :raises errors.EngineRefused: it does not
    """
    profiles = [
        profile
        for option in info.get("SecurityOptions") or ()
        if "name=seccomp" in (words := option.split(","))
        for profile in words
        if profile.startswith("profile=")
    ]
    if not profiles or "profile=unconfined" in profiles:
        raise errors.EngineRefused(
            "confine a container",
            "it filters no system calls; remove seccomp-profile from its daemon.json, and see "
            "that its kernel has CONFIG_SECCOMP_FILTER",
        )
