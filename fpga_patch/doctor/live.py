# SPDX-License-Identifier: Apache-2.0
"""Checks of a host whose servers can be dumped to live images."""

import json
import os
import shutil
import subprocess

from fpga_patch.doctor import compute
from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import Settings

_CHECK = "live-images"
_SECONDS = 120


def images(settings: Settings) -> list[Finding]:
    """Root must be able to dump a process and to restore it, which is tried."""
    options = settings.conf.docker
    if not options.live_images:
        return [Finding(_CHECK, "skipped", "[docker] live_images is off")]
    program, folders = options.live_exec, compute.exec_dirs(settings)
    path = shutil.which(program, path=os.pathsep.join(folders))
    if path is None:
        text = f"{program} is in none of rootwrap's exec_dirs ({', '.join(folders) or 'none'})"
        remedy = f"install fpga-nova[nova] and link its {program} into one of them"
        return [Finding(_CHECK, "missing", text, remedy)]
    if os.geteuid() != 0:
        return [Finding(_CHECK, "skipped", f"only root can run {path}")]
    return [_tried(path)]


def _tried(path: str) -> Finding:
    try:
        result = subprocess.run(
            [path, "selftest"], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return Finding(_CHECK, "missing", f"{path} selftest: {e}")
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        text = f"this host has no live images: {reason.removeprefix('Error: ')}"
        remedy = "mend that (build_scripts/build_criu.sh builds a CRIU), or turn live_images off"
        return Finding(_CHECK, "missing", text, remedy)
    version = json.loads(result.stdout)["criu"]
    return Finding(_CHECK, "ok", f"CRIU {version} dumps and restores a process that listens")
