#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the demo's image for OpenCL: clinfo and a matrix product, and no driver or loader.

The host's programs and C library come into it, so the image is for this host's architecture.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import build_docker_image as base

_SOURCE = Path(__file__).with_name("opencl_matmul.c")
_LIBRARY = re.compile(r"(/\S+) \(0x")
#: The one that a container gets from its host.
_LOADER = "libOpenCL.so"


def compile_matmul(target: Path, source: Path = _SOURCE) -> None:
    """Compile the matrix product.

    :raises base.BuildError: no compiler or no header, or it fails
    """
    words = ["gcc", "-O2", "-s", "-Wl,--build-id=none", "-o", str(target), str(source)]
    try:
        subprocess.run([*words, "-lOpenCL"], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        raise base.BuildError(
            f"{source} does not compile - install gcc and ocl-icd-opencl-dev"
        ) from None


def libraries(program: Path) -> dict[str, bytes]:
    """What a program is linked with, but for OpenCL's loader, by the path where it is looked for.

    :raises base.BuildError: that cannot be found out
    """
    try:
        listed = subprocess.run(
            ["ldd", str(program)], check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as e:
        raise base.BuildError(f"{program} cannot be looked at: {e}") from e
    paths = [path for path in _LIBRARY.findall(listed) if _LOADER not in path]
    return {path.removeprefix("/"): Path(path).read_bytes() for path in paths}


def layer(busybox: Path) -> bytes:
    """The tar of the root file system.

    :raises base.BuildError: a part of it is not there
    """
    clinfo = shutil.which("clinfo")
    if clinfo is None:
        raise base.BuildError("there is no clinfo - install clinfo")
    shell, applets = base.read_busybox(busybox)
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        matmul = Path(folder, "opencl-matmul")
        compile_matmul(matmul)
        for program in (Path(clinfo), matmul):
            files |= libraries(program) | {f"bin/{program.name}": program.read_bytes()}
    return base.layer(shell, applets, base.compile_client(), files)


def main(arguments: list[str] | None = None) -> int:
    """Write the image; exit status."""
    return base.main(arguments, "opencl.tar", layer)


if __name__ == "__main__":
    sys.exit(main())
