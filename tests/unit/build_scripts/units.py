# SPDX-License-Identifier: Apache-2.0
"""The units that the roles write, without Ansible: their descriptions and the template."""

import collections.abc
import typing
from pathlib import Path

import jinja2
import jinja2.nativetypes
import yaml

ROLES = Path(__file__).parents[3] / "build_scripts/roles"
PROGRAMS = ROLES / "common/files"

Mapping = dict[str, typing.Any]

#: Variables of the plays that settings of units name.
_PLAY = {
    "state_dir": "/cloud/state/mariadb",
    "run_dir": "/cloud/run",
    "bin_dir": "/cloud/bin",
    "cloud_user": "fpga-cloud",
    "nova_user": "nova",
    "wsgi_name": "keystone",
    "item": "conductor",
    "live_ready": False,
}
#: What of a description says what a unit may do.
_KEYS = ("name", "user", "group", "umask", "unit")


def render(folder: Path, description: Mapping, confinement: Mapping | None = None) -> str:
    """The unit of a description, as Ansible sets Jinja up."""
    loader = jinja2.FileSystemLoader(ROLES / "service/templates")
    template = jinja2.Environment(
        loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined
    ).get_template("unit.j2")
    return template.render(
        service_description=description,
        service_confinement=confinement or {},
        service_prefix="fpga-nova-",
        service_watched={"stdout": "digest"},
        run_dir=folder / "run",
        bin_dir=PROGRAMS,
    )


def of_roles(folder: Path, **variables_of_host: object) -> dict[str, str]:
    """The unit of each daemon that a role runs, by its role, that one's file and its name."""
    general = _defaults("service")
    units = {}
    for role, file, variables in _services():
        names = _PLAY | general | _defaults(role) | variables_of_host
        service = variables["service"]
        description = _resolved({key: service[key] for key in _KEYS if key in service}, names)
        confinement = _resolved(
            variables.get("service_confinement", general["service_confinement"]), names
        )
        units[f"{role}/{file}: {description['name']}"] = render(
            folder, description | {"command": ["/bin/true"], "log": "/cloud/log"}, confinement
        )
    return units


def _services() -> collections.abc.Iterator[tuple[str, str, Mapping]]:
    """The variables of each call of the role `service`, with the role and the file that call it."""
    for file in sorted(ROLES.glob("*/tasks/*.yml")):
        for task in yaml.safe_load(file.read_text()) or []:
            call = task.get("ansible.builtin.include_role", {})
            if call.get("name") == "service" and "service" in task.get("vars", {}):
                yield file.parts[-3], file.stem, task["vars"]


def _defaults(role: str) -> Mapping:
    file = ROLES / role / "defaults/main.yml"
    return (yaml.safe_load(file.read_text()) or {}) if file.exists() else {}


def _resolved(value: typing.Any, names: Mapping) -> typing.Any:
    """A value with what its templates stand for."""
    if isinstance(value, dict):
        return {key: _resolved(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, names) for one in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    environment = jinja2.nativetypes.NativeEnvironment(undefined=jinja2.StrictUndefined)
    environment.filters["combine"] = lambda one, other: one | other
    found = environment.from_string(value).render(names)
    return found if found == value else _resolved(found, names)
