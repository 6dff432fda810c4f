# SPDX-License-Identifier: Apache-2.0
"""Checks of a host with nova-compute and FPGA regions."""

import configparser
import grp
import json
import os
import pathlib
import pwd
import shutil
import stat
import subprocess

from fpga_patch.doctor import entry_points
from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import DRIVER, DROP_IN, Settings

#: The filters that this package ships.
FILTERS = pathlib.Path(__file__).resolve().parents[1] / "rootwrap.d" / "fpga.filters"


def driver(settings: Settings) -> list[Finding]:
    """nova-compute must run containers."""
    is_now = settings.conf.compute_driver
    if is_now == DRIVER:
        return [Finding("driver", "ok", f"compute_driver is {DRIVER}")]
    file = settings.where("compute_driver") or settings.etc / DROP_IN
    remedy = f"{file}, [DEFAULT]: compute_driver = {DRIVER}"
    return [Finding("driver", "missing", f"compute_driver is {is_now or 'not set'}", remedy)]


def access(settings: Settings) -> list[Finding]:
    """The hooks must be on."""
    if settings.conf.fpga.access:
        return [Finding("access", "ok", "[fpga] access is on")]
    file = settings.where("access", "fpga") or settings.etc / DROP_IN
    text = "[fpga] access is off: nova-compute reports no regions"
    return [Finding("access", "missing", text, f"{file}, [fpga]: access = True")]


def hooks(settings: Settings) -> list[Finding]:
    """nova-compute does not start without its hooks."""
    names = ["build_instance", "delete_instance", "status"]
    return entry_points.loadable(settings, "hooks", "nova.fpga.hooks", names)


def filters_file(settings: Settings) -> list[Finding]:
    """rootwrap must permit the calls of the hooks."""
    folders = filters_path(settings)
    if not folders:
        text = f"{settings.conf.rootwrap_config} cannot be read, or has no filters_path"
        return [Finding("rootwrap", "missing", text, "install Nova's rootwrap.conf")]
    filters = _filters(FILTERS)
    for folder in folders:
        for path in sorted(folder.glob("*.filters")):
            found = {name: line for name, line in _filters(path).items() if name in filters}
            if found == filters:
                return [Finding("rootwrap", "ok", f"{path} permits the calls of fpga-cli.py")]
            if found:
                text = f"{path} is not the one of this fpga-nova"
                return [Finding("rootwrap", "warning", text, f"install -m 644 {FILTERS} {path}")]
    remedy = f"install -m 644 {FILTERS} {folders[-1]}/"
    return [Finding("rootwrap", "missing", "no filters for fpga-cli.py", remedy)]


def filters_path(settings: Settings) -> list[pathlib.Path]:
    """The folders that rootwrap reads filters from; the last is the one least likely in use."""
    return [pathlib.Path(one) for one in _rootwrap(settings, "filters_path")]


def exec_dirs(settings: Settings) -> list[str]:
    """The folders in which rootwrap looks for programs."""
    return _rootwrap(settings, "exec_dirs")


def program(settings: Settings) -> list[Finding]:
    """rootwrap must find the program, and nobody but root may change it."""
    name, folders = settings.conf.fpga.exec, exec_dirs(settings)
    path = shutil.which(name, path=os.pathsep.join(folders))
    if path is None:
        text = f"{name} is in none of rootwrap's exec_dirs ({', '.join(folders) or 'none'})"
        remedy = f"install fpga-nova[regions] and link its {name} into /usr/local/bin"
        return [Finding("fpga-cli", "missing", text, remedy)]
    status = pathlib.Path(path).stat()
    if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = f"{path} may be changed by others than root, and runs as root"
        return [Finding("fpga-cli", "missing", text, f"chown root {path}; chmod go-w {path}")]
    return [_regions(settings, path)]


def _regions(settings: Settings, path: str) -> Finding:
    if os.geteuid() != 0:
        return Finding("fpga-cli", "skipped", f"only root can run {path}")
    result = subprocess.run(
        [path, "status", "--format", "json"], capture_output=True, text=True, check=False
    )
    if result.returncode:
        why = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        return Finding("fpga-cli", "missing", f"{path} status exits {result.returncode}: {why}")
    report = json.loads(result.stdout)
    simulated = any(region["simulated"] for region in report["regions"])
    if simulated and not settings.conf.fpga.simulation_mode:
        remedy = f"{settings.etc / DROP_IN}, [fpga]: simulation_mode = True"
        return Finding("fpga-cli", "missing", "regions are simulated, and that is refused", remedy)
    return Finding(
        "fpga-cli", "ok", f"{path} has {report['total']} regions, {report['used']} in use"
    )


def sudo(settings: Settings) -> list[Finding]:
    """The user of nova-compute must be permitted to run rootwrap."""
    wrapper = settings.programs / "nova-rootwrap"
    command = [str(wrapper), settings.conf.rootwrap_config, "fpga-cli.py", "status"]
    if os.geteuid() != 0 or shutil.which("sudo") is None:
        return [Finding("sudo", "skipped", "only root can ask, and sudo must be installed")]
    question = ["sudo", "-n", "-l", "-U", settings.user, *command]
    if subprocess.run(question, capture_output=True, check=False).returncode == 0:
        return [Finding("sudo", "ok", f"{settings.user} may run {wrapper}")]
    line = f"{settings.user} ALL = (root) NOPASSWD: {wrapper} {settings.conf.rootwrap_config} *"
    text = f"{settings.user} may not run {wrapper} by sudo"
    return [Finding("sudo", "missing", text, f"/etc/sudoers.d/fpga-nova: {line}")]


def docker(settings: Settings) -> list[Finding]:
    """The user of nova-compute must be able to open the engine's socket."""
    scheme, _, place = settings.conf.docker.host_url.partition("://")
    if scheme != "unix":
        return [Finding("docker", "skipped", f"{settings.conf.docker.host_url} is not a socket")]
    try:
        status = pathlib.Path(place).stat()
        user = pwd.getpwnam(settings.user)
    except FileNotFoundError:
        remedy = "install and start the Docker Engine"
        return [Finding("docker", "missing", f"there is no {place}", remedy)]
    except KeyError:
        return [Finding("docker", "skipped", f"there is no user {settings.user}")]
    groups = os.getgrouplist(settings.user, user.pw_gid)
    if status.st_mode & stat.S_IWOTH or (status.st_gid in groups and status.st_mode & stat.S_IWGRP):
        return [Finding("docker", "ok", f"{settings.user} can open {place}")]
    group = grp.getgrgid(status.st_gid).gr_name
    text = f"{settings.user} cannot open {place}"
    return [Finding("docker", "missing", text, f"usermod -aG {group} {settings.user}")]


def _rootwrap(settings: Settings, option: str) -> list[str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read(settings.conf.rootwrap_config)
    return [one for one in parser.get("DEFAULT", option, fallback="").split(",") if one]


def _filters(path: pathlib.Path) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read(path)
    return dict(parser.items("Filters")) if parser.has_section("Filters") else {}
