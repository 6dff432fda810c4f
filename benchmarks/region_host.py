# SPDX-License-Identifier: Apache-2.0
"""One more compute host of a demo cloud, with all that a deployed one has.

Its nova-compute is no root: it reaches fpga-cli by rootwrap's daemon, and a resident region manager
does what fpga-cli is asked for. The virt driver is Nova's fake one.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import typing
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]

from cloud import Cloud  # noqa: E402

from tests.e2e.hosts import KEEPING, ComputeHost, glance_of  # noqa: E402
from tests.support.host import Host, wait_until  # noqa: E402

_SUDOERS = Path("/etc/sudoers.d")
_READY = 60  # seconds


class ServedHost(ComputeHost):
    """It is audited as rarely as Nova itself would have it.

    :param folder: is made; nova-compute's user may enter it
    :param regions: options of fpga-cli, ``group__name`` for one of a group
    """

    def __init__(self, cloud: Cloud, folder: Path, name: str, **regions: typing.Any) -> None:
        folder.mkdir(parents=True)
        user = str(cloud.description("nova-compute")["user"])
        cli = Host(folder, glance_of(cloud), status_group=user, **regions)
        cli.config.chmod(0o600)  # it has a password
        super().__init__(cloud, folder, name, KEEPING, audit=0, cli=cli, user=user)
        self._sudoers = _SUDOERS / f"fpga-nova-{name}"
        self._server: subprocess.Popen[bytes] | None = None
        for path in (folder / "nova", *(folder / "nova").rglob("*")):
            shutil.chown(path, user, user)

    def _options(self, folder: Path, name: str, driver: str, audit: int) -> list[str]:
        lines = super()._options(folder, name, driver, audit)
        at = lines.index("[DEFAULT]") + 1
        rootwrap = [f"rootwrap_config = {folder}/rootwrap.conf", "use_rootwrap_daemon = True"]
        lines[at:at] = rootwrap
        lines[lines.index("disable_rootwrap = True")] = "disable_rootwrap = False"
        # The cloud's own is of another host.
        at = lines.index("[fpga]") + 1
        lines[at:at] = [f"status_file = {self.cli.runtime}/status.json"]
        return lines

    def program(self) -> Path:
        """As etc/rootwrap.d names it; rootwrap knows the folder."""
        return Path(self._wrapper().name)

    def _wrapper(self) -> Path:
        path = self.cli.folder / "fpga-cli.py"
        script = Path(self.cli.python).with_name("fpga-cli.py")
        command = f"{self.cli.python} -I {script} --config-file {self.cli.config}"
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        path.chmod(0o755)
        return path

    def start(self, wait: bool = True) -> None:
        """Start the region manager and nova-compute, which may run fpga-cli as root."""
        folder = self.cli.folder
        conf = folder / "rootwrap.conf"
        conf.write_text(
            f"[DEFAULT]\nfilters_path = {CHECKOUT}/etc/rootwrap.d\nexec_dirs = {folder}\n"
            "use_syslog = False\n"
        )
        programs = Path(sys.executable).parent
        rules = [f"{programs}/nova-rootwrap {conf} *", f"{programs}/nova-rootwrap-daemon {conf}"]
        lines = [f"{self._user} ALL=(root) NOPASSWD: {rule}\n" for rule in rules]
        with contextlib.suppress(FileNotFoundError):
            self._sudoers.unlink()
        descriptor = os.open(self._sudoers, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(lines)
        with (folder / "manager.log").open("wb") as log:
            self._server = subprocess.Popen(  # noqa: S603
                [str(self._wrapper()), "serve"], stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self.cli.has_server, _READY)
        super().start(wait)

    def prepared(self, image: str, seconds: float) -> None:
        """Wait until the compiled model of a bitstream image is there."""
        record = self.cli.state / "prepared.json"
        models = self.cli.state / "emulator-models" / "models"

        def done() -> bool:
            known = json.loads(record.read_text()) if record.exists() else {}
            return image in known and any(models.glob("*.verilator"))

        wait_until(done, seconds)

    def close(self) -> None:
        """Stop it, end its regions, and take the host out of the cloud."""
        self.stop()
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(_READY)
            except subprocess.TimeoutExpired:  # it waits for a model
                self._server.kill()
                self._server.wait()
        self._sudoers.unlink(missing_ok=True)
        self.cli.close()
        self.leave()
