# SPDX-License-Identifier: Apache-2.0
"""What root does for live images on this host, and whether the host can do it at all."""

import concurrent.futures
import contextlib
import json
import pathlib
import shutil
import time
import typing

from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.program import root
from fpga_nova.container_image import reading
from novadocker import errors, live_store
from novadocker.engine import Engine
from novadocker.live import settings
from novadocker.network import beside

if typing.TYPE_CHECKING:
    from nova.compute import provider_tree as nova_provider_tree

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: The name of the runtime in the engine.
RUNTIME = "live"
#: Seconds between two looks whether root's program waits for the pause.
_PAUSE = 0.02


class LiveHost:
    """This host, as far as live images go.

    :param engine: where its containers are
    :ivar refusal: why it has none; None if it has them
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looked = False
        self.refusal: str | None = "it was not tried yet"

    def look(self) -> None:
        """Try once whether the host can dump and restore, and remove what a killed service left."""
        if self._looked:
            return
        if not CONF.docker.live_images:
            self.refusal, self._looked = "[docker] live_images is off on this host", True
            return
        try:
            self._look()
        except errors.EngineUnavailable as e:
            self.refusal = e.message  # the next audit tries again
        except (errors.NoLiveImage, errors.EngineRefused, OSError) as e:
            self.refusal, self._looked = str(e), True
            LOG.warning("This host has no live images: %s", self.refusal)

    def _look(self) -> None:
        runtimes = self._engine.info().get("Runtimes") or {}
        if RUNTIME not in runtimes:
            raise errors.NoLiveImage(f"the Docker Engine has no runtime '{RUNTIME}'")
        config = live_store.configuration()
        incoming = config.incoming
        shutil.rmtree(incoming / settings.MARKS, ignore_errors=True)
        for name in (settings.IMAGES, settings.MARKS):
            (incoming / name).mkdir(mode=0o750, parents=True, exist_ok=True)
        report = json.loads(self._run("selftest"))
        if report["state"] != str(config.state):
            raise errors.NoLiveImage(
                f"{CONF.docker.live_exec} has other settings than {CONF.docker.live_settings}: its "
                f"state is {report['state']}"
            )
        suspended = self._run("sweep").split()
        live_store.check_access()
        self._forget_unknown(suspended)
        self.refusal, self._looked = None, True
        LOG.info("This host has live images, by CRIU %s", report["criu"])

    def _forget_unknown(self, suspended: list[str]) -> None:
        """Remove the dumps of containers that are gone.

        :param suspended: all that have one
        """
        with self._engine.asked_to("list containers") as client:
            known = {one["Id"] for one in client.api.containers(all=True)}
        for container in set(suspended) - known:
            self.discard(container)

    def update_traits(
        self, provider_tree: "nova_provider_tree.ProviderTree", nodename: str
    ) -> None:
        """Tell the scheduler whether servers can be made of live images here."""
        if self.refusal is None:
            provider_tree.add_traits(nodename, live_store.TRAIT)
        else:
            provider_tree.remove_traits(nodename, live_store.TRAIT)

    @contextlib.contextmanager
    def dumped(
        self, container: str, owner: str | None, suspend: bool = False
    ) -> typing.Iterator[None]:
        """Dump a container that is paused after the beginning; it is dumped at the end.

        :param owner: who holds its FPGA regions, whose connections are closed; None if it has none
        :param suspend: keep the dump for the container, and kill its processes
        :raises errors.NoLiveImage: with the reason
        """
        verb = "suspend" if suspend else "dump"
        words = [verb, container, *(("--owner", owner) if owner else ())]
        dump = beside.start(lambda: self._dump(*words), f"{verb} {container[:12]}")
        try:
            self._wait_until_ready(container, dump)
            yield
        except BaseException:
            self.discard(container)  # it waits for the pause no more
            raise
        finally:
            # CRIU pauses a container again that goes on meanwhile, and the engine would not know.
            concurrent.futures.wait([dump])
        dump.result()

    def _dump(self, verb: str, container: str, *options: str) -> None:
        try:
            report = self._run(verb, container, *options)
        except errors.LiveTimedOut:
            self.discard(container)  # it ends before the container goes on
            raise
        LOG.info("The memory of container %s is dumped: %s", container, report)

    def _wait_until_ready(self, container: str, dump: "concurrent.futures.Future[None]") -> None:
        sign = live_store.configuration().ready(container)
        while not (dump.done() or sign.is_dir()):
            time.sleep(_PAUSE)
        if dump.done():
            dump.result()

    def map(self, container: str) -> reading.Layer | None:
        """Move the memory of a dump to a layer of the image; None if it has no large areas.

        :raises errors.NoLiveImage: with the reason
        """
        found = json.loads(self._run("map", container))
        LOG.info("The memory of container %s is mapped: %s", container, found or "no large areas")
        return reading.Layer(pathlib.Path(found["path"]), found["digest"]) if found else None

    def sign(
        self, container: str, project: str, instance: str, image: str, bitstreams: tuple[str, ...]
    ) -> str:
        """Sign a dump; the folder that has it.

        :raises errors.NoLiveImage: with the reason
        """
        options = {
            "--project": project,
            "--instance": instance,
            "--image": image,
            "--bitstreams": "+".join(bitstreams) or "none",
        }
        words = [word for option in options.items() for word in option]
        return self._run("sign", container, *words).strip()

    def run_hook(self, container: str) -> None:
        """Run the hook of a clone, and log how it ended; the clone runs whatever it does.

        :raises errors.NoLiveImage: it was not run, with the reason
        """
        found = json.loads(self._run("hook", container))
        if found["found"] and found["status"] != 0:
            LOG.warning("The hook of container %s did not succeed: %s", container, found)
        elif found["found"]:
            LOG.info("The hook of container %s has run: %s", container, found)

    def discard(self, container: str) -> None:
        """Remove a dump, and wait until one in work has ended; logs what is left."""
        try:
            self._run("discard", container)
        except errors.NoLiveImage as e:
            LOG.warning("The dump of container %s stays: %s", container, e.message)

    def _run(self, *arguments: str) -> str:
        program = CONF.docker.live_exec
        try:
            answer = root.run([program, *arguments], CONF.docker.live_timeout)
        except root.TimedOutError as e:
            raise errors.LiveTimedOut(
                f"{program} {arguments[0]} did not end within {CONF.docker.live_timeout} s "
                "([docker] live_timeout)"
            ) from e
        except root.NotRunError as e:
            raise errors.NoLiveImage(f"{program} cannot be run as root: {e}") from e
        if answer.code:
            lines = [line for line in answer.err.splitlines() if line.startswith("Error: ")]
            reason = lines[-1].removeprefix("Error: ") if lines else answer.err.strip()[-300:]
            raise errors.NoLiveImage(f"{reason} ({program} {arguments[0]}, exit {answer.code})")
        return answer.out
