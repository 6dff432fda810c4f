# SPDX-License-Identifier: Apache-2.0
"""Releases of Nova as PyPI has them: fetched once, and read without being installed."""

import pathlib
import subprocess
import sys
import zipfile

#: Where wheels are kept; `make clean` removes it.
CACHE = pathlib.Path(__file__).resolve().parent.parent / ".tools" / "wheels"

#: An interpreter with pip, where `make tools` has made one.
_PYTHON = CACHE.parent / "bin" / "python"


class FetchError(Exception):
    """A release cannot be had."""


def fetch(version: str, cache: pathlib.Path = CACHE) -> pathlib.Path:
    """The wheel of a release, downloaded if it is not in the cache.

    :raises FetchError: PyPI does not have it, or cannot be reached
    """
    wheel = cache / f"nova-{version}-py3-none-any.whl"
    if not wheel.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        python = str(_PYTHON) if _PYTHON.exists() else sys.executable
        command = [python, "-m", "pip", "--disable-pip-version-check", "download"]
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(cache)]
        result = subprocess.run(
            [*command, *options, f"nova=={version}"], capture_output=True, text=True, check=False
        )
        if result.returncode or not wheel.is_file():
            raise FetchError(f"nova {version} cannot be downloaded: {result.stderr.strip()}")
    return wheel


def read(wheel: pathlib.Path, names: list[str]) -> dict[str, str]:
    """Files of the package nova by their path in it.

    :raises FetchError: there is no such file
    """
    with zipfile.ZipFile(wheel) as opened:
        try:
            return {name: opened.read(f"nova/{name}").decode() for name in names}
        except KeyError as e:
            raise FetchError(f"{wheel.name}: {e.args[0]}") from e


def series_of(version: str) -> int:
    """The series of a release: its first number."""
    return int(version.partition(".")[0])


def name_of(series: int) -> str:
    """What OpenStack calls a series; two a year since 27, which is 2023.1."""
    year, half = divmod(series - 27, 2)
    return f"{2023 + year}.{half + 1}"


def order_of(version: str) -> list[int]:
    """What sorts releases."""
    return [int(part) for part in version.split(".")]
