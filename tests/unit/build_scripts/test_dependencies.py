# SPDX-License-Identifier: Apache-2.0
"""What the packages import is what the extras, the lock files and the Debian package name."""

import ast
import importlib.metadata
import re
import sys
import tomllib
import typing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROJECT: dict[str, typing.Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

#: The extras that each package is installed with, beside what is always installed.
INSTALLED_WITH = {
    "fpga_api": ["api"],
    "fpga_client": ["client"],
    "fpga_hooks": ["nova"],
    "fpga_manage": ["nova"],
    "fpga_nova": ["nova"],
    "fpga_opencl": ["opencl"],
    "fpga_patch": ["nova"],
    "fpga_regions": ["regions", "castellan"],
    "migrations": ["nova"],
    "novadocker": ["nova"],
    "scheduler_filters": ["nova"],
}

#: Who imports a package is beside Nova: no extra brings it. Nova's older series have eventlet, and
#: os-vif is the distribution of its plugin.
BESIDE = {"eventlet", "nova", "vif_plug_ovs"}

#: The module that a distribution brings, where it does not have the distribution's name.
MODULES = {
    "openstacksdk": "openstack",
    "python-glanceclient": "glanceclient",
    "python-openstackclient": "openstackclient",
}

#: Debian's package, where it is not python3- and the distribution.
DEBIAN = {"python-glanceclient": "python3-glanceclient"}

#: What the Debian package needs that is not a library.
PROGRAMS = {"patch", "python3"}


def _names(requirements: list[str]) -> set[str]:
    """The distributions that a list names, with dashes and in small letters."""
    names = (re.match(r"[\w.-]+", line) for line in requirements)
    return {name[0].lower() for name in names if name}


def _needed(extras: list[str]) -> set[str]:
    return _names([*PROJECT["dependencies"], *(line for one in extras for line in EXTRAS[one])])


def _module(distribution: str) -> str:
    return MODULES.get(distribution, re.sub(r"[.-]", "_", distribution))


def _imported(package: str) -> dict[str, str]:
    """The foreign top-level modules that a package imports, and one file that does."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            found |= {module.partition(".")[0]: str(path) for module in modules}
    ours = {*INSTALLED_WITH, *sys.stdlib_module_names}
    return {module: path for module, path in found.items() if module not in ours}


def test_every_package_has_its_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {
        one.rstrip("*") for one in project["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert packages == INSTALLED_WITH.keys() - {"migrations"}


@pytest.mark.parametrize("package", INSTALLED_WITH)
def test_what_a_package_imports_is_named(package: str) -> None:
    named = {_module(name) for name in _needed(INSTALLED_WITH[package])}
    unnamed = {
        module: path
        for module, path in _imported(package).items()
        if module not in named | (BESIDE if "nova" in INSTALLED_WITH[package] else set())
    }
    assert not unnamed


@pytest.mark.parametrize("extra", ["api", "client", "nova", "opencl", "regions", "castellan"])
def test_what_an_extra_names_is_imported(extra: str) -> None:
    packages = [package for package, extras in INSTALLED_WITH.items() if extra in extras]
    imported = {module for package in packages for module in _imported(package)}
    assert {name for name in _names(EXTRAS[extra]) if _module(name) not in imported} == set()


@pytest.mark.parametrize(
    ("extra", "name"),
    [("api",) * 2, ("client",) * 2, ("nova", "beside-nova"), ("regions",) * 2, ("dev",) * 2],
)
def test_what_is_locked_is_what_the_extra_names(extra: str, name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
    locked = _names([line for line in lines if line and line[0] not in "#-"])
    if extra == "dev":
        assert locked == _needed(["dev", "castellan", "opencl"]) - _needed([]) - {"fpga-nova"}
    else:
        assert locked == _needed([extra])


def test_debian_package_depends_on_what_the_extra_names() -> None:
    control = (ROOT / "build_scripts" / "debian" / "control").read_text()
    line = re.search(r"^Depends: (.*)$", control, re.MULTILINE)
    assert line
    depends = _names([part.strip() for part in line[1].split(",")]) - PROGRAMS
    assert depends == {DEBIAN.get(name, f"python3-{name}") for name in _needed(["nova"])}


def test_modules_are_of_the_distributions_that_the_names_say() -> None:
    providers = importlib.metadata.packages_distributions()
    installed = {d.name.lower().replace("_", "-") for d in importlib.metadata.distributions()}
    for name in _needed(["api", "client", "nova", "opencl", "regions", "castellan"]):
        if name.replace(".", "-") in {one.replace(".", "-") for one in installed}:
            found = {d.lower().replace("_", "-") for d in providers.get(_module(name), [])}
            assert name.replace(".", "-") in {one.replace(".", "-") for one in found}, name
