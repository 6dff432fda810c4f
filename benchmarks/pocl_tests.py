#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of pocl's own tests of the runtime, by a worker and by pocl itself.

    python benchmarks/pocl_tests.py [NAME ...]

It needs Debian's pocl-source, and runs as root. The exit status is 1 if a program passes with pocl
itself and not by a worker, unless it needs what is not served.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support import opencl

_ARCHIVE = "/usr/src/pocl.tar.xz"
_TIME = 120  # seconds of a program
_SKIPPED = 77
#: It compares pocl's version with that of its build.
_UNBUILT = {"test_version"}
_NOT_SERVED = {
    "test_clEnqueueNativeKernel": "a function of the program's own",
    "test_cl_pocl_content_size": "an extension of pocl's own",
    "test_command_buffer": "a provisional extension",
    "test_command_buffer_images": "a provisional extension",
}
#: What pocl's build writes, as far as its tests look at it.
_CONFIG = """
#define SRCDIR "{source}"
#define BUILDDIR "{build}"
#define HAVE_DLFCN_H
#define HAVE_FORK 1
#define HAVE_VFORK 1
#define HAVE_SLEEP
#define HAVE_UTIME
"""
_HEADERS = """
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/opencl.h>
#include <CL/cl_ext.h>
"""


def prepare(folder: Path) -> Path:
    """Unpack pocl's source, and write what its build would; gives the source's folder."""
    with tarfile.open(_ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    source, build = folder / "pocl", folder / "build"
    (build / "tests/runtime").mkdir(parents=True)
    for name in ("config.h", "config2.h"):
        (build / name).write_text(_CONFIG.format(source=source, build=build))
    (build / "pocl_opencl.h").write_text(_HEADERS)
    return source


def compile_one(source: Path, name: str) -> None:
    """Compile a program.

    :raises subprocess.CalledProcessError: it fails
    """
    build = source.parent / "build"
    includes = [f"-I{one}" for one in (build, source, source / "poclu", source / "include")]
    files = [f"tests/runtime/{name}.c", "poclu/misc.c", "poclu/bswap.c", "poclu/cl_half.c"]
    words = ["gcc", "-w", "-include", "poclu.h", *includes, "-o", str(build / name), *files]
    words += ["-lOpenCL", "-lm", "-ldl"]
    subprocess.run(words, cwd=source, check=True)  # noqa: S603


def run(source: Path, name: str, more: dict[str, str]) -> str:
    """What a program says: passed, skipped or failed."""
    build = source.parent / "build"
    # This one writes headers, and includes them from where it runs.
    includes = name == "test_kernel_cache_includes"
    try:
        status = subprocess.run(  # noqa: S603
            [str(build / name)],
            cwd=build / "tests/runtime" if includes else source / "tests/runtime",
            env=os.environ | more,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIME,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return "failed"
    return {0: "passed", _SKIPPED: "skipped"}.get(status, "failed")


def main() -> int:
    """Print the table; exit status."""
    parser = argparse.ArgumentParser(description="pocl's own tests by a worker")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a program; default: all")
    options = parser.parse_args()
    if not Path(_ARCHIVE).exists():
        parser.error("install pocl-source, which has the programs")
    results: dict[str, tuple[str, str]] = {}
    with tempfile.TemporaryDirectory() as name, opencl.serving(Path(name)) as node:
        source = prepare(Path(name))
        programs = [one.stem for one in sorted((source / "tests/runtime").glob("*.c"))]
        environment = opencl.environment(opencl.build(Path(name) / "icd"), node.socket)
        for program in options.names or [one for one in programs if one not in _UNBUILT]:
            compile_one(source, program)
            results[program] = run(source, program, {}), run(source, program, environment)
    print("| program | pocl | worker | |\n|---|---|---|---|")
    for program, (local, worker) in results.items():
        print(f"| {program} | {local} | {worker} | {_NOT_SERVED.get(program, '')} |")
    for index, kind in enumerate(("pocl", "worker")):
        found = [result[index] for result in results.values()]
        counts = [f"{found.count(one)} {one}" for one in ("passed", "skipped", "failed")]
        print(f"{kind}: {', '.join(counts)}")
    worse = [
        program
        for program, (local, worker) in results.items()
        if local == "passed" != worker and program not in _NOT_SERVED
    ]
    if worse:
        print(f"Error: {', '.join(worse)}: only pocl itself passes", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
