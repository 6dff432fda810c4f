# SPDX-License-Identifier: Apache-2.0
"""More compute hosts for a demo cloud: nova-computes with regions, which can be killed."""

import configparser
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import typing

from cloud import Cloud, CloudError

from tests.support.host import Host

CHECKOUT = pathlib.Path(__file__).parents[2]

KEEPING = "tests.support.virt:KeepingDriver"
DOCKER = "novadocker.virt.docker:DockerDriver"

_READY = "Join ServiceGroup membership for this service compute"
_ENDS = "Graceful shutdown start"
_PATIENCE = 120  # seconds
_HEARD = 5  # seconds in which nova-compute says that it ends


class ComputeHost:
    """A compute host of the cloud, on this machine; its regions are fpga-cli's fake ones.

    :param driver: the virt driver, ``module:Class``
    :param audit: seconds between two audits
    :param cli: the regions of another host; its own if None
    """

    def __init__(
        self,
        cloud: Cloud,
        folder: pathlib.Path,
        name: str,
        driver: str,
        audit: int = 1,
        cli: Host | None = None,
    ) -> None:
        self.name = name
        self.driver = driver
        self._cloud = cloud
        self._folder = folder
        folder.mkdir(parents=True)
        self.cli = cli or Host(folder, _glance(cloud), drivers="fake")
        self.cli.python = str(cloud.folder / "venv" / "regions" / "bin" / "python")
        self._point = folder / "point"
        self._config = folder / "nova-compute.conf"
        self._config.write_text(self._configuration(audit))
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def _configuration(self, audit: int) -> str:
        state = self._folder / "nova"
        (state / "instances").mkdir(parents=True)
        return "\n".join(
            [
                "[DEFAULT]",
                f"host = {self.name}",
                f"compute_driver = {self.driver.replace(':', '.')}",
                f"state_path = {state}",
                f"instances_path = {state}/instances",
                f"update_resources_interval = {audit}",
                "cpu_allocation_ratio = 32",
                "reclaim_instance_interval = 3",
                "shelved_offload_time = 0",
                # A guest that a deleted server has left keeps its region until Nova removes it.
                "running_deleted_instance_poll_interval = 3",
                "default_log_levels = nova.service=DEBUG,nova.compute.resource_tracker=DEBUG",
                "[workarounds]",
                # This nova-compute is root itself.
                "disable_rootwrap = True",
                "[fpga]",
                f"exec = {self.program()}",
                "[oslo_concurrency]",
                f"lock_path = {state}/lock",
            ]
        )

    def program(self) -> pathlib.Path:
        """What nova-compute runs as fpga-cli; made if it is not there."""
        return self.cli.wrapper()

    def start(self, wait: bool = True) -> None:
        """Start nova-compute and, if so wished, wait until it has joined the cloud.

        :raises CloudError: it did not
        """
        self._starts += 1
        base = self._cloud.folder / "etc" / "nova" / "nova-compute.conf"
        python = self._cloud.folder / "venv" / "cloud" / "bin" / "python"
        files = ["--config-file", str(base), "--config-file", str(self._config)]
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), "-P", "-m", "tests.support.mortal", str(self._point), *files],
                env=os.environ | {"PYTHONPATH": str(CHECKOUT), "VIRT_DRIVER": self.driver},
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self._wait(lambda: _READY in self.log(), "joined")

    def keeps_guest(self, server: str) -> bool:
        """Whether Nova's fake driver has a guest on record here; see tests/support/virt.py."""
        record = self._folder / "nova" / "guests"
        return record.exists() and server in json.loads(record.read_text())

    @property
    def dead(self) -> bool:
        """Whether nova-compute does not run."""
        return self._process is None or self._process.poll() is not None

    def ensure(self) -> None:
        """Start nova-compute unless it runs."""
        if self.dead:
            self.start()

    def lose_configurations(self) -> None:
        """What becomes of an FPGA whose host loses its power."""
        shutil.rmtree(self.cli.state / "drivers")

    @property
    def log_file(self) -> pathlib.Path:
        """What the nova-compute of the last start logs."""
        return self._folder / f"log-{self._starts}"

    def log(self) -> str:
        """All that it has logged since its start."""
        return self.log_file.read_text(errors="replace")

    def kill_at(self, point: str) -> None:
        """Have it killed where it comes to this point the next time."""
        self._point.write_text(point)

    def died(self, seconds: float = _PATIENCE) -> bool:
        """Wait until it was killed; whether it was."""
        assert self._process is not None
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._point.unlink(missing_ok=True)
            return False
        return code == -signal.SIGKILL

    def terminate(self) -> None:
        """Ask nova-compute to end, and return once it does so.

        Python runs a handler in the main thread only. If the kernel gives the signal to a
        thread that starts a program, the main thread sleeps on: it is lost and is sent again.
        """
        assert self._process is not None
        end = time.monotonic() + _PATIENCE
        while not self.dead and _ENDS not in self.log():
            if time.monotonic() > end:
                raise CloudError(f"nova-compute of {self.name} does not hear SIGTERM")
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_HEARD)

    def ended(self, seconds: float) -> bool:
        """Wait until nova-compute has ended by itself; whether it has."""
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def audited(self) -> None:
        """Wait for the end of an audit."""
        count = self.log().count(_AUDITED)
        self._wait(lambda: self.log().count(_AUDITED) >= count + 1, "audited its resources")

    def _wait(self, condition: typing.Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            if self.dead:
                last = self.log().splitlines()[-5:]
                raise CloudError(f"nova-compute of {self.name} is dead: {last}")
            if time.monotonic() > end:
                raise CloudError(f"nova-compute of {self.name} has not {what}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop nova-compute, if it runs."""
        if self._process is None or self._process.poll() is not None:
            return
        try:
            self.terminate()
            self._process.wait(60)
        except (CloudError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Stop it, end its regions, and take the host out of the cloud."""
        self.stop()
        self.cli.close()
        self.leave()

    def leave(self) -> None:
        """Take the host out of the cloud."""
        for service in self._cloud.api.compute.services(binary="nova-compute", host=self.name):
            self._cloud.api.compute.delete_service(service)


class Schedulers:
    """Schedulers in the place of the cloud's own.

    :param options: options of the group ``fpga``
    """

    def __init__(
        self, cloud: Cloud, folder: pathlib.Path, number: int, **options: typing.Any
    ) -> None:
        self._cloud = cloud
        self._config = folder / "nova-scheduler.conf"
        lines = [f"{name} = {value}" for name, value in options.items()]
        workers = ["[scheduler]", f"workers = {number}"]
        self._config.write_text("\n".join(["[fpga]", *lines, *workers]))
        self._log = folder / "nova-scheduler.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Stop the cloud's own scheduler, and start these."""
        self._cloud.stop("nova-scheduler")
        program = self._cloud.folder / "venv" / "cloud" / "bin" / "nova-scheduler"
        base = self._cloud.folder / "etc" / "nova" / "nova.conf"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(program), "--config-file", str(base), "--config-file", str(self._config)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that runs them."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop these, and start the cloud's own again."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(60)
        self._cloud.start("nova-scheduler")


def known(cloud: Cloud, names: list[str]) -> None:
    """Wait until the cloud knows compute hosts.

    :raises CloudError: it does not
    """
    end = time.monotonic() + _PATIENCE
    while not cloud.mapped() >= set(names):
        if time.monotonic() > end:
            raise CloudError(f"the hosts {names} are not discovered")
        time.sleep(0.5)


#: What Nova logs at the end of each audit.
_AUDITED = "Final resource view"


def _glance(cloud: Cloud) -> str:
    """How the cloud's own fpga-cli reaches Glance."""
    configuration = configparser.RawConfigParser(strict=False)
    configuration.read(cloud.folder / "etc" / "fpga" / "fpga-cli.conf")
    return "\n".join(
        ["[glance]", *(f"{name} = {value}" for name, value in configuration["glance"].items())]
    )
