# SPDX-License-Identifier: Apache-2.0
"""Follows what happens to containers, by the engine's own stream of events.

The engine keeps its events in memory, and drops them for a reader that is slow. So after each
connection Nova looks at all containers once, and a thread of its own hands the events to Nova.
"""

import contextlib
import threading
import time
import typing

from nova.compute import power_state
from nova.virt import event as virt_event
from oslo_log import log as logging

from novadocker import errors, listing, request
from novadocker.deliveries import Deliveries
from novadocker.engine import PAUSE, Engine

LOG = logging.getLogger(__name__)

#: The engine's events that change a power state, as Nova's.
_TRANSITIONS = {
    "start": virt_event.EVENT_LIFECYCLE_STARTED,
    "die": virt_event.EVENT_LIFECYCLE_STOPPED,
    "pause": virt_event.EVENT_LIFECYCLE_PAUSED,
    "unpause": virt_event.EVENT_LIFECYCLE_RESUMED,
}
#: What Nova has to see where a container is in one of these.
_SEEN = {
    power_state.RUNNING: virt_event.EVENT_LIFECYCLE_STARTED,
    power_state.PAUSED: virt_event.EVENT_LIFECYCLE_PAUSED,
    power_state.SHUTDOWN: virt_event.EVENT_LIFECYCLE_STOPPED,
}
_OTHERS = ("kill", "oom", "health_status")

#: Seconds for which the end of a container waits that was ended through the engine. `docker
#: restart` ends and starts it, and Nova would stop it in between.
GRACE = 10.0

#: Seconds from the start of nova-compute's first audit until it takes messages, at most. Nova stops
#: a server by a message to itself, which a broker may lose before.
SETTLING = 5.0


class Watch:
    """The events of this host's containers, from `start` until `stop`.

    Nova looks at the container again when it gets an event, and does nothing while it works on the
    server itself: an event that is old by then does no harm.

    :param engine: where the containers are
    :param known: the list of them, which each event makes old
    :param emit: gets Nova's event; may take long
    :ivar threads: green ones where Nova runs on eventlet
    """

    def __init__(
        self,
        engine: Engine,
        known: listing.Listing,
        emit: typing.Callable[[virt_event.Event], None],
    ) -> None:
        self._engine = engine
        self._known = known
        self._deliveries = Deliveries(emit)
        self._ended = threading.Event()
        self._stream: typing.Any = None
        self.threads = [
            threading.Thread(target=run, name=f"docker-{name}", daemon=True)
            for name, run in (("events", self._follow), ("deliveries", self._deliveries.run))
        ]
        #: The instances whose containers somebody is ending through the engine.
        self._killed: set[str] = set()
        #: Those that had no memory left since their start; a tenant must not fill the log.
        self._starved: set[str] = set()

    def start(self) -> None:
        """Begin, in threads."""
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """End it; what is on its way is not delivered."""
        self._ended.set()
        self._deliveries.stop()
        # The stream may be at its end by itself.
        with contextlib.suppress(OSError, AttributeError):
            if self._stream is not None:
                self._stream.close()

    def _follow(self) -> None:
        self._ended.wait(SETTLING)
        while not self._ended.is_set():
            try:
                self._read()
            except errors.NO_ANSWER as e:
                LOG.debug("Events of containers are not seen: %s", e.message)
            except Exception:
                # Nobody would start the thread again. A stream that `stop` closed may fail anyhow.
                if not self._ended.is_set():
                    LOG.exception("Events of containers are not seen")
            self._ended.wait(PAUSE)

    def _read(self) -> None:
        """Take events until the connection ends.

        :raises errors.EngineUnavailable, errors.EngineRefused: it never began, or broke
        """
        filters = {
            "type": "container",
            "label": request.own_labels(),
            "event": [*_TRANSITIONS, *_OTHERS],
        }
        with self._engine.asked_to("report its events") as client:
            # The engine answers before it begins to listen; it replays what came in between.
            since = int(time.time()) - 1
            self._stream = client.api.events(since=since, filters=filters, decode=True)
            if self._ended.is_set():
                return
            self._compare()
            for event in self._stream:
                self._take(event)

    def _compare(self) -> None:
        """Have Nova look at all containers: those first that do not run."""
        self._known.changed()
        LOG.info("Following the events of the Docker Engine")
        for uuid, listed in self._known.now().items():
            if listed.power_state in _SEEN:
                runs = listed.power_state == power_state.RUNNING
                self._deliveries.put(uuid, _SEEN[listed.power_state], PAUSE if runs else 0)

    def _take(self, event: typing.Mapping[str, typing.Any]) -> None:
        action, attributes = str(event["Action"]), event["Actor"]["Attributes"]
        uuid = attributes[request.LABEL_UUID]
        if action == "kill":
            self._killed.add(uuid)
        elif action in _TRANSITIONS:
            self._known.changed()
            self._deliver(uuid, action)
        elif action != "oom":
            LOG.info("The container of instance %s: %s", uuid, action)
        elif uuid not in self._starved:
            self._starved.add(uuid)
            LOG.warning("The kernel ends processes of instance %s, which lacks memory", uuid)

    def _deliver(self, uuid: str, action: str) -> None:
        ended_by_engine = action == "die" and uuid in self._killed
        self._killed.discard(uuid)
        if action == "start":
            self._starved.discard(uuid)
        self._deliveries.put(uuid, _TRANSITIONS[action], GRACE if ended_by_engine else 0)
