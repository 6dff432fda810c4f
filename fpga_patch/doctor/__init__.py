# SPDX-License-Identifier: Apache-2.0
"""``fpga-patch doctor``: what a host still lacks, and the line or command that brings it."""

import collections.abc
import pathlib

from fpga_patch.doctor import compute, controller, live, opencl, services
from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import Settings

__all__ = ["Finding", "Settings", "examine", "roles_of"]


def _columns(settings: Settings) -> list[Finding]:
    try:
        from fpga_patch.doctor import cells  # needs the libraries that only fpga-nova[nova] brings
    except ImportError as e:
        return [Finding("database", "missing", str(e), "install fpga-nova[nova]")]
    return cells.columns(settings)


def _names(settings: Settings) -> list[Finding]:
    try:
        from fpga_patch.doctor import names  # needs the SDK of Docker, which novadocker brings
    except ImportError as e:
        return [Finding("name", "skipped", str(e))]
    return names.former(settings)


CHECKS: dict[str, list[collections.abc.Callable[[Settings], list[Finding]]]] = {
    "controller": [controller.filters, controller.extra_specs, controller.placement, _columns],
    "compute": [
        compute.driver,
        compute.access,
        compute.hooks,
        compute.filters_file,
        compute.program,
        compute.sudo,
        compute.docker,
        live.images,
        opencl.containers,
        _names,
    ],
}


def examine(settings: Settings, roles: collections.abc.Iterable[str]) -> list[Finding]:
    """All findings for a host of these roles, and for any."""
    found = [finding for role in roles for check in CHECKS[role] for finding in check(settings)]
    return found + services.old_code(settings)


def roles_of(programs: pathlib.Path) -> list[str]:
    """The roles of a host by the services that are installed on it."""
    services_of = {"controller": "nova-scheduler", "compute": "nova-compute"}
    return [role for role, name in services_of.items() if (programs / name).exists()]
