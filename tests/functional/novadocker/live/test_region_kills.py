# SPDX-License-Identifier: Apache-2.0
"""nova-compute and the Docker Engine are killed at the steps of live images, with FPGA regions.

Two steps of an action are drawn at each run; with ``FPGA_NOVA_ALL_POINTS`` it is each one.
"""

import contextlib
import fcntl
import os
import pathlib
import random
import threading
from unittest import mock

import fixtures
import nova.conf
import pytest
from nova import thread_pool_factory
from oslo_concurrency import lockutils

from fpga_hooks import calls
from fpga_hooks.instance import background, cards
from novadocker import containers, snapshots
from tests.functional.novadocker import killers
from tests.functional.novadocker.live import test_live_kills, test_regions
from tests.support.host import wait_until

CONF = nova.conf.CONF

_BURN = (cards, "burn", "after")
_START = (containers.Containers, "start", "after")
#: Where nova-compute dies during a launch, and whether a region is burnt by then.
_LAUNCH = [
    *((step, True) for step in test_live_kills.LAUNCH),
    ((cards, "burn", "before"), False),
    (_BURN, True),
    ((containers.Containers, "create", "after"), True),
]


def _drawn(steps):
    """The steps of an action where something is killed."""
    if os.environ.get("FPGA_NOVA_ALL_POINTS"):
        return steps
    return sorted(random.sample(steps, 2), key=steps.index)


@contextlib.contextmanager
def _noted(step):
    """Have a failure name the step."""
    try:
        yield
    except Exception as e:
        e.add_note(f"killed at {step}")
        raise


def _drop_locks():
    """Give up the locks of files, as the kernel does when a process dies."""
    for descriptor in pathlib.Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if descriptor.readlink().is_relative_to(CONF.instances_path):
                fcntl.flock(int(descriptor.name), fcntl.LOCK_UN)


class Death:
    """The death of a nova-compute in the process of a test, whose threads come no further."""

    def __init__(self):
        self._came, self._ended = threading.Event(), threading.Event()

    def __call__(self):
        self._came.set()
        self._ended.wait()
        raise SystemExit

    def wait(self):
        """Wait until a thread has come to the step."""
        assert self._came.wait(120)

    def end(self):
        """Have the threads end, so that the test can."""
        self._ended.set()


class KillsTestCase(test_regions.RegionsTestCase):
    """A server that has one of two regions."""

    def setUp(self):
        super().setUp()
        self.source = self.start(image=self.warm, flavor=self.flavor)
        self.answer_of_region = self.use(self.source)
        self.region = self.regions()

    def ask_to_launch(self, image):
        """Ask for a server that has the other region."""
        asked = self._build_server(flavor_id=self.flavor, image_uuid=image, networks="none")
        return self.api.post_server({"server": asked})

    def launch(self, image):
        """Launch a server, which has the memory of the source and the other region."""
        clone = self.start(image=image, flavor=self.flavor)
        self.assertEqual(self.word(self.source), self.word(clone))
        self.assertEqual(self.answer_of_region, self.use(clone))
        self.assert_owners(self.source, clone)
        self.assertNotEqual(*(self.node(server) for server in (self.source, clone)))
        return clone

    def remove(self, server):
        """Delete a server, in ERROR too."""
        self.api.delete_server(server["id"])
        self.wait_until_gone(server)

    def reap(self):
        """Have Nova find the containers of deleted servers, as it does from time to time."""
        with self.in_cell() as context:
            self.compute.manager._cleanup_running_deleted_instances(context)
        self.audit()

    def assert_owners(self, *servers):
        """These servers have the regions, by the ledger and by Nova's account."""
        self.assertEqual({server["id"] for server in servers}, set(self.regions()))
        self.assertEqual(len(servers), self.used())

    def assert_source_goes_on(self):
        """The source runs, and has the region that it had, which serves."""
        self.assertEqual("ACTIVE", self.idle(self.source)["status"])
        self.container(self.source).exec_run(["rm", "/tmp/answer"])
        self.assertEqual(3, len(self.answer(self.source)))
        self.assertEqual(self.answer_of_region, self.use(self.source))
        self.assertEqual(
            self.region[self.source["id"]]["id"], self.regions()[self.source["id"]]["id"]
        )

    def assert_nothing_is_left(self):
        """Nothing but the source is in the engine, with root, or with nova-compute."""
        self.assertEqual({f"nova-{self.source['id']}": "running"}, self.containers())
        self.assertEqual([], self.engine().api.images(name=snapshots.REPOSITORY, all=True))
        instances = pathlib.Path(CONF.instances_path)
        wait_until(lambda: not list(self.live.work.glob("*")))
        for folder, pattern in (
            (self.live.spool, "*"),
            (self.live.incoming / "marks", "*"),
            (instances, "docker-image-*"),
        ):
            self.assertEqual([], list(folder.glob(pattern)))
        self.assert_owners(self.source)


class KilledServices(KillsTestCase):
    """nova-compute is killed, and starts again."""

    def setUp(self):
        super().setUp()
        # The threads of the dead end before the databases do.
        self.addCleanup(thread_pool_factory.reset_all_executors)

    @contextlib.contextmanager
    def dying(self, owner, name, when):
        """Have nova-compute die at a step to which the body leads."""
        death = Death()
        self.addCleanup(death.end)
        with mock.patch.object(owner, name, getattr(owner, name)):
            test_live_kills.deadly(owner, name, when, death)
            yield
            death.wait()

    def start_anew(self):
        """Start another nova-compute, with nothing of what the dead one had in its memory."""
        dead = self.compute
        dead.manager.driver.register_event_listener(None)
        dead.manager.graceful_shutdown = lambda timeout: None
        _drop_locks()
        calls._hooks.cache_clear()
        for name, value in (
            ("fpga_hooks.instance.background.burns", background.Burns()),
            ("oslo_concurrency.lockutils._semaphores", lockutils.Semaphores()),
        ):
            self.useFixture(fixtures.MonkeyPatch(name, value))
        self.compute = self.restart_compute_service(dead, keep_hypervisor_state=False)
        self.computes["host1"] = self.compute

    def test_a_blessing_leaves_nothing_and_the_source_has_memory_and_region(self):
        word = self.word(self.source)
        for step in _drawn(test_live_kills.BLESSING):
            with _noted(step):
                with self.dying(*step):
                    self.ask_to_bless(self.source)
                self.start_anew()
                self.audit()
                self.assert_source_goes_on()
                self.assertEqual(word, self.word(self.source))
                self.assert_nothing_is_left()
        self.launch(self.bless(self.source))

    def die_launching(self, image, step, holds):
        """Have nova-compute die while it launches a server; the server."""
        with self.dying(*step):
            clone = self.ask_to_launch(image)
        # The burn goes on without nova-compute.
        wait_until(lambda: self.host.status()["used"] == 1 + holds)
        wait_until(lambda: set(self.host.states()) <= {"free", "programmed"})
        return clone

    def test_a_launch_leaves_nothing_once_its_server_is_deleted(self):
        image = self.bless(self.source)
        for step, holds in _drawn(_LAUNCH):
            with _noted(step):
                clone = self.die_launching(image, step, holds)
                self.start_anew()
                self.audit()
                self.assertEqual("ERROR", self.idle(clone)["status"])
                self.assertEqual({self.source["id"], *[clone["id"]] * holds}, set(self.regions()))
                self.remove(clone)
                self.audit()
                self.assert_source_goes_on()
                self.assert_nothing_is_left()
        self.launch(image)

    def test_a_launch_whose_server_is_deleted_meanwhile_gives_its_region_back(self):
        image = self.bless(self.source)
        for step in (_BURN, _START):
            with _noted(step):
                clone = self.die_launching(image, step, True)
                service = self.compute.service_ref.uuid
                self.api.put_service_force_down(service, True)
                self.remove(clone)
                self.assertIn(clone["id"], self.regions())
                self.start_anew()
                self.api.put_service_force_down(service, False)
                self.audit()
                if step is _START:
                    # Its container runs still, which Nova finds later.
                    self.assertIn(clone["id"], self.regions())
                    self.reap()
                self.assert_source_goes_on()
                self.assert_nothing_is_left()
        self.launch(image)


class KilledEngines(KillsTestCase):
    """The engine is killed, and starts again, with the containers ended."""

    @pytest.fixture(autouse=True)
    def _killer(self, dockerd, monkeypatch):
        for killer in killers.installed(dockerd, monkeypatch, questions=False):
            type(self).killer = killer
            yield

    def setUp(self):
        super().setUp()
        # Nova would stop the source once it learns that its container has ended.
        self.compute.manager.driver.register_event_listener(None)

    def assert_source_goes_on_after(self, point):
        """The source starts again after a kill of the engine."""
        with _noted(point):
            self._reboot_server(self.source, hard=True)
            self.assert_source_goes_on()
            self.assert_nothing_is_left()

    def test_a_blessing_leaves_nothing_and_the_source_has_its_region(self):
        def bless():
            self.ask_to_bless(self.source)
            self.idle(self.source)

        bless()  # the first asks for more
        for point in _drawn(killers.points(self.killer, bless)):
            killers.interrupted(self.killer, point, bless)
            self.audit()
            self.assert_source_goes_on_after(point)
        self.launch(self.bless(self.source))

    def test_a_launch_leaves_nothing_once_its_server_is_deleted(self):
        image = self.bless(self.source)
        self.remove(self.launch(image))  # the first fetches the image
        clones = []

        def launch():
            clones.append(self.ask_to_launch(image))
            self.settle(clones[-1])

        points = killers.points(self.killer, launch)
        self.remove(clones[-1])
        for point in _drawn(points):
            killers.interrupted(self.killer, point, launch)
            self.audit()
            has_container = f"nova-{clones[-1]['id']}" in self.containers()
            self.assertEqual(has_container, clones[-1]["id"] in self.regions(), point)
            self.remove(clones[-1])
            if has_container:
                self.reap()
            self.assert_source_goes_on_after(point)
        # The memory of the image is not that of the source any more, which was started again.
        self.start(image=image, flavor=self.flavor)
        self.assertEqual(2, len(self.regions()))
