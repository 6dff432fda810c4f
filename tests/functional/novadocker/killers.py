# SPDX-License-Identifier: Apache-2.0
"""What kills a Docker Engine before and after each request of an action."""

import re

import docker
import requests
from nova import exception


class Killer:
    """Kills an engine at a chosen request of the driver.

    :param send: how requests are sent
    :param questions: whether at a request, too, that changes nothing
    """

    def __init__(self, engine, send, questions):
        self.engine, self.send, self._questions = engine, send, questions
        self.requests = []
        self.point = None

    def arm(self, point=None):
        """Choose a request by its number, and whether it is lost or its answer."""
        self.requests, self.point = [], point

    def __call__(self, client, prepared, **more):
        path = re.sub(r"^/v1\.[0-9]+", "", prepared.path_url).partition("?")[0]
        is_question = path in ("/_ping", "/version") or (
            prepared.method == "GET" and not self._questions
        )
        if is_question or self.requests is None:
            return self.send(client, prepared, **more)
        number = len(self.requests)
        self.requests.append(f"{prepared.method} {path}")
        if (number, "request") == self.point:
            self.engine.kill()
        response = self.send(client, prepared, **more)
        if (number, "answer") == self.point:
            self.engine.kill()
            raise requests.exceptions.ConnectionError("the engine was killed")
        return response


def installed(engine, monkeypatch, questions=True):
    """What kills an engine, which runs again afterwards; a generator for a fixture."""
    killer = Killer(engine, docker.APIClient.send, questions)
    monkeypatch.setattr(docker.APIClient, "send", lambda *args, **more: killer(*args, **more))
    yield killer
    killer.requests = None
    if engine._process is None:
        engine.start()


def points(killer, action):
    """Where the engine can be killed, found by an action that nothing disturbs."""
    killer.arm()
    action()
    assert len(killer.requests) > 1
    return [
        (number, what)
        for number, request in enumerate(killer.requests)
        # A question whose answer is lost is as one that was lost.
        for what in (["request"] if request.startswith("GET") else ["request", "answer"])
    ]


def interrupted(killer, point, action):
    """Do something while the engine is killed, and start it again; whether it failed."""
    killer.arm(point)
    try:
        action()
        failed = False
    except exception.NovaException:
        failed = True
    assert killer.engine._process is None, f"there was no {point}: {killer.requests}"
    killer.engine.start()
    killer.arm()
    return failed
