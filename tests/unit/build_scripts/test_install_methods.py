# SPDX-License-Identifier: Apache-2.0
"""The roles take OpenStack's programs from where the method of installation puts them."""

import typing

import jinja2
import pytest
import yaml
from deployment.catalogue import ROOT

SCRIPTS = ROOT / "build_scripts"


def _variables(install: str) -> dict[str, typing.Any]:
    """What group_vars/all.yml says of the programs with a method of installation."""
    text = yaml.safe_load((SCRIPTS / "group_vars/all.yml").read_text())
    known: dict[str, typing.Any] = {"demo_dir": "/cloud", "cloud_install": install}
    names = ("cloud_venv", "packages_dir", "cloud_bin", "cloud_python", "cloud_paste", "lock_stamp")
    for name in names:
        known[name] = jinja2.Template(text[name]).render(known)
    return known


@pytest.mark.parametrize(
    ("install", "python", "paste", "stamp"),
    [
        (
            "venv",
            "/cloud/venv/cloud/bin/python",
            "/cloud/venv/cloud/etc/nova",
            "/cloud/venv/cloud/.lock",
        ),
        ("packages", "/usr/bin/python3", "/usr/share/nova-common", "/cloud/packages/openstack"),
    ],
)
def test_programs_are_those_of_the_method_of_installation(
    install: str, python: str, paste: str, stamp: str
) -> None:
    found = _variables(install)
    assert found["cloud_python"] == python
    assert found["cloud_paste"] % "nova" == paste
    assert found["lock_stamp"] == stamp


def test_roles_take_programs_of_openstack_by_the_method_of_installation() -> None:
    """A role that names the environment itself has no programs with packages."""
    for file in SCRIPTS.glob("roles/*/*/*"):
        if file.is_file() and file.parts[-3] not in ("venv", "nova_patch"):
            assert b"cloud_venv" not in file.read_bytes(), file


def test_each_web_service_has_a_module_and_a_program() -> None:
    """The module is for the environment, the program for Debian's packages."""
    found = 0
    for file in SCRIPTS.glob("roles/*/tasks/main.yml"):
        for task in yaml.safe_load(file.read_text()):
            names = task.get("vars", {}).keys()
            if task.get("ansible.builtin.include_role", {}).get("name") == "wsgi":
                found += 1
                assert {"wsgi_module", "wsgi_script"} <= names, file
    assert found == 6


def test_no_unit_of_the_packages_starts_beside_those_of_the_cloud() -> None:
    defaults = yaml.safe_load((SCRIPTS / "roles/packages/defaults/main.yml").read_text())
    needs = {need for group in defaults["packages_needs"].values() for need in group}
    assert {f"package:{name}" for name in defaults["packages_units"]} <= needs
    services = {need for need in needs if not need.startswith("package:python3-")}
    # nova-compute-ironic has a file of configuration only.
    services -= {"package:nova-compute-ironic"}
    assert services == {f"package:{name}" for name in defaults["packages_units"]}
