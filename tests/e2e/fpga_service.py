# SPDX-License-Identifier: Apache-2.0
"""fpga-api and its engine on the demo cloud, in processes that can be killed at a point."""

import contextlib
import os
import pathlib
import shutil
import typing

import pytest
from cloud import Cloud

from tests.support.host import wait_until

CHECKOUT = pathlib.Path(__file__).parents[2]

API, ENGINE = "fpga-api", "fpga-api-engine"

#: By what is asked for: who is killed, at what.
Points = typing.Mapping[str, typing.Mapping[str, typing.Sequence[str]]]
Case = tuple[str, str, str]


def cases(points: Points, some: typing.Collection[Case]) -> list[typing.Any]:
    """The parameters of a test: what is asked for, who is killed, and where.

    :param some: those of a small run
    """
    every = bool(os.environ.get("FPGA_NOVA_ALL_POINTS"))
    return [
        pytest.param(asked, who, point, id=f"{asked}-{who}-{point}")
        for asked, services in points.items()
        for who, names in services.items()
        for point in names
        if every or (asked, who, point) in some
    ]


class MortalService:
    """One of the two, in the place of the cloud's own.

    :param folder: of the file that names the point; the service's user may write there
    """

    def __init__(self, cloud: Cloud, folder: pathlib.Path, name: str) -> None:
        self.name = name
        self._cloud = cloud
        self._own = cloud.description(name)
        self._point = folder / f"{name}.point"
        python = cloud.folder / "venv" / "cloud" / "bin" / "python"
        program = ["/usr/bin/env", f"PYTHONPATH={CHECKOUT}", str(python), "-P", "-W", "ignore"]
        program += ["-m", "tests.support.mortal", str(self._point), "fpga-api"]
        self._mortal = self._own | {"command": [*program, *self._own["command"][1:]]}

    def __enter__(self) -> "MortalService":
        self._cloud.stop(self.name)
        self._cloud.start_as(self._mortal)
        return self

    def __exit__(self, *_error: object) -> None:
        self._point.unlink(missing_ok=True)
        self._cloud.stop(self.name)
        self._cloud.start_as(self._own)

    def kill_at(self, point: str) -> None:
        """Have it killed where it comes to this point the next time."""
        self._point.write_text(point)

    def died(self, seconds: float = 60) -> bool:
        """Wait until it was killed; whether it was."""
        process = pathlib.Path("/proc", str(self._cloud.pid(self.name)))
        try:
            wait_until(lambda: not self._point.exists() and not process.exists(), seconds)
        except AssertionError:
            self._point.unlink(missing_ok=True)
            return False
        return True

    def start(self) -> None:
        """Start it again."""
        self._cloud.start_as(self._mortal)


@contextlib.contextmanager
def mortal(cloud: Cloud) -> typing.Iterator[dict[str, MortalService]]:
    """Both, by name."""
    folder = cloud.folder / "mortal-service"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.chown(folder, cloud.description(API)["user"])
    try:
        with contextlib.ExitStack() as stack:
            services = (MortalService(cloud, folder, name) for name in (API, ENGINE))
            yield {one.name: stack.enter_context(one) for one in services}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
