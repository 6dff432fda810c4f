# SPDX-License-Identifier: Apache-2.0
"""A Docker Engine with the runtime for live images, and what root does beside it."""

import dataclasses
import os
import pathlib
import shutil
import sys
import typing

import nova.conf

from novadocker.live import errors, selftest, settings, signatures
from tests.functional.novadocker import dockerd as dockerds

CONF = nova.conf.CONF

_ROOT = pathlib.Path(__file__).parents[4]
#: Where build_scripts/build_criu.sh keeps its builds.
_BUILDS = pathlib.Path("/var/cache/fpga-nova/criu")


def find_criu() -> pathlib.Path:
    """CRIU, if it works here.

    :raises novadocker.live.errors.LiveError: the reason why it does not
    """
    named = os.environ.get("FPGA_NOVA_TEST_CRIU")
    found = [pathlib.Path(named)] if named else sorted(_BUILDS.glob("[0-9]*/criu"))
    if not found:
        raise errors.LiveError("CRIU is missing - run 'build_scripts/build_criu.sh'")
    selftest.run(found[-1])
    return found[-1]


def started(
    folder: pathlib.Path,
    *arguments: str,
    programs: typing.Sequence[str] = (),
    before: typing.Sequence[str] = (),
) -> typing.Iterator[dockerds.Dockerd]:
    """An engine whose runtime reads settings that `prepare` writes; a generator for a fixture."""
    runtime = folder / "live"
    runtime.write_text(
        f"#!/bin/sh\nPYTHONPATH={_ROOT} exec {sys.executable} -m novadocker.live.runtime "
        f'{folder}/live.toml "$@"\n'
    )
    runtime.chmod(0o755)
    # CRIU finds no link where the engine mounts its init.
    init = pathlib.Path(shutil.which("docker-init") or "/usr/bin/docker-init").resolve()
    words = (f"--add-runtime=live={runtime}", f"--init-path={init}", *arguments)
    for engine in dockerds.started(*words, programs=programs, before=before):
        engine.live = folder  # type: ignore[attr-defined]
        yield engine
        engine.remove_containers()
        # A clone whose removal took too long leaves its group in the unified hierarchy.
        for entry in pathlib.Path("/sys/fs/cgroup/unified").glob(f"{engine._group}/*"):
            if entry.is_dir():
                entry.rmdir()


def prepare(
    dockerd: dockerds.Dockerd,
    criu: pathlib.Path,
    enter: str = "",
    fpga_cli: pathlib.Path | None = None,
) -> tuple[settings.Settings, dict[str, typing.Any]]:
    """Write the settings of what runs as root; what they are, and nova-compute's for them.

    :param enter: the words before root's program
    :param fpga_cli: what closes the connections to regions
    """
    folder: pathlib.Path = dockerd.live  # type: ignore[attr-defined]
    shutil.rmtree(folder / "state", ignore_errors=True)
    found = settings.Settings(
        criu=criu,
        runc=pathlib.Path(shutil.which("runc") or "/usr/sbin/runc"),
        runc_root=dockerd.folder / "exec" / "runtime-runc" / "moby",
        state=folder / "state",
        incoming=pathlib.Path(CONF.instances_path) / "live",
        group="root",
        signing_key=folder / "keys" / "signing.pem",
        trusted_keys=folder / "keys" / "trusted",
        fpga_cli=fpga_cli,
    )
    if not found.signing_key.exists():
        signatures.create(found.signing_key, found.trusted_keys)
    values = dataclasses.asdict(found).items()
    lines = (f'{name} = "{value}"\n' for name, value in values if value)
    (folder / "live.toml").write_text("".join(lines))
    program = folder / "fpga-live"
    # As rootwrap has it: its own folder of programs is all that is in PATH.
    environment = f"PATH={folder} PYTHONPATH={_ROOT}"
    program.write_text(
        f"#!/bin/sh\nexec {enter} /usr/bin/env {environment} {sys.executable} "
        f'-m novadocker.live.command --settings {folder}/live.toml "$@"\n'
    )
    program.chmod(0o755)
    options = {
        "live_images": True,
        # A busy machine restores slowly, and the engine answers only once it has.
        "api_timeout": 300,
        "live_exec": str(program),
        "live_settings": str(folder / "live.toml"),
    }
    return found, options
