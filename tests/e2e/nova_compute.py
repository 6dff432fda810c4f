# SPDX-License-Identifier: Apache-2.0
"""nova-computes of a demo cloud that can be killed, or halted, at a point of what they do."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
import typing

from cloud import Cloud, CloudError

CHECKOUT = pathlib.Path(__file__).parents[2]

DOCKER = "novadocker.virt.docker:DockerDriver"

#: Lines of nova-compute's configuration: audits and what they find come soon.
MORTAL = (
    "[DEFAULT]",
    "update_resources_interval = 1",
    "running_deleted_instance_poll_interval = 3",
    "vif_plugging_timeout = 15",
    "default_log_levels = nova.service=DEBUG,nova.compute.resource_tracker=DEBUG",
)

_READY = "Join ServiceGroup membership for this service compute"
_ENDS = "Graceful shutdown start"
#: What Nova logs at the end of each audit.
_AUDITED = "Final resource view"
_PATIENCE = 120  # seconds
_HEARD = 5  # seconds in which nova-compute says that it ends


class NovaCompute:
    """A nova-compute beside those of the cloud.

    :param folder: where its configuration and its logs are
    :param name: of its host
    :param driver: the virt driver, ``module:Class``
    :param options: lines of its configuration, on top of the cloud's
    :param user: who runs it; this process's user if None
    """

    def __init__(
        self,
        cloud: Cloud,
        folder: pathlib.Path,
        name: str,
        driver: str,
        options: typing.Iterable[str],
        user: str | None = None,
    ) -> None:
        self.name = name
        self.driver = driver
        self._cloud = cloud
        self._folder = folder
        self._user = user
        self._point = folder / "point"
        self._config = folder / "nova-compute.conf"
        self.configure(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def configure(self, options: typing.Iterable[str]) -> None:
        """Set the lines of its configuration for the next start."""
        self._config.write_text("\n".join(options))

    def start(self, wait: bool = True) -> None:
        """Start nova-compute and, if so wished, wait until it has joined the cloud.

        :raises CloudError: it did not
        """
        if self._user and self._process is not None:
            self._end_rootwrap()
        self._starts += 1
        base = self._cloud.folder / "etc" / "nova" / "nova-compute.conf"
        python = self._cloud.folder / "venv" / "cloud" / "bin" / "python"
        files = ["--config-file", str(base), "--config-file", str(self._config)]
        switch = ["setpriv", "--reuid", self._user, "--regid", self._user, "--init-groups"]
        program = [str(python), "-P", "-m", "tests.support.mortal"]
        program += [str(self._point), "nova-compute", *files]
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [*switch, *program] if self._user else program,
                env=os.environ | {"PYTHONPATH": str(CHECKOUT), "VIRT_DRIVER": self.driver},
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self._wait(lambda: _READY in self.log(), "joined")

    @property
    def dead(self) -> bool:
        """Whether nova-compute does not run."""
        return self._process is None or self._process.poll() is not None

    def ensure(self) -> None:
        """Start nova-compute unless it runs."""
        if self.dead:
            self.start()

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

    def halt_at(self, point: str) -> None:
        """Have it halted where it comes to this point the next time, until `go_on`."""
        self._point.write_text(f"{point};{signal.SIGSTOP.name}")

    def halted(self) -> None:
        """Wait until it was halted.

        :raises CloudError: it was not
        """
        self._wait(lambda: self._state() == "T", "halted")

    def go_on(self) -> None:
        """Let it go on after a halt."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it now."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _state(self) -> str:
        assert self._process is not None
        status = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0]

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

    def _end_rootwrap(self) -> None:
        """Kill the rootwrap daemons of killed nova-computes: each waits for ten minutes."""
        program = str(self._cloud.folder / "venv" / "cloud" / "bin" / "nova-rootwrap-daemon")
        for line in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if program in line.read_text().split("\0")[:2]:
                    os.kill(int(line.parent.name), signal.SIGKILL)
