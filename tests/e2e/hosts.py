# SPDX-License-Identifier: Apache-2.0
"""More compute hosts for a demo cloud: nova-computes with regions, which can be killed."""

import configparser
import json
import pathlib
import shutil
import subprocess
import time
import typing

from cloud import Cloud, CloudError

from tests.e2e.nova_compute import DOCKER, NovaCompute
from tests.support.host import Host

__all__ = ["DOCKER", "KEEPING", "ComputeHost", "Schedulers", "glance_of", "known"]

KEEPING = "tests.support.virt:KeepingDriver"

_PATIENCE = 120  # seconds


class ComputeHost(NovaCompute):
    """A compute host of the cloud, on this machine; its regions are fpga-cli's fake ones.

    :param audit: seconds between two audits
    :param cli: the regions of another host; its own if None
    :param user: who runs nova-compute; this process's user if None
    """

    def __init__(
        self,
        cloud: Cloud,
        folder: pathlib.Path,
        name: str,
        driver: str,
        audit: int = 1,
        cli: Host | None = None,
        user: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=cli is not None)
        self.cli = cli or Host(folder, glance_of(cloud), drivers="fake")
        self.cli.python = str(cloud.folder / "venv" / "regions" / "bin" / "python")
        options = self._options(folder, name, driver, audit)
        super().__init__(cloud, folder, name, driver, options, user)

    def _options(self, folder: pathlib.Path, name: str, driver: str, audit: int) -> list[str]:
        state = folder / "nova"
        (state / "instances").mkdir(parents=True)
        return [
            "[DEFAULT]",
            f"host = {name}",
            f"compute_driver = {driver.replace(':', '.')}",
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

    def program(self) -> pathlib.Path:
        """What nova-compute runs as fpga-cli; made if it is not there."""
        return self.cli.wrapper()

    def keeps_guest(self, server: str) -> bool:
        """Whether Nova's fake driver has a guest on record here; see tests/support/virt.py."""
        record = self._folder / "nova" / "guests"
        return record.exists() and server in json.loads(record.read_text())

    def lose_configurations(self) -> None:
        """What becomes of an FPGA whose host loses its power."""
        shutil.rmtree(self.cli.state / "drivers")

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


def glance_of(cloud: Cloud) -> str:
    """How the cloud's own fpga-cli reaches Glance."""
    configuration = configparser.RawConfigParser(strict=False)
    configuration.read(cloud.folder / "etc" / "fpga" / "fpga-cli.conf")
    return "\n".join(
        ["[glance]", *(f"{name} = {value}" for name, value in configuration["glance"].items())]
    )
