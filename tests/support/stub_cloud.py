# SPDX-License-Identifier: Apache-2.0
"""A Keystone that knows the personas, and services of its catalogue that answer by a function."""

import contextlib
import socketserver
import threading
import typing
from wsgiref import simple_server

import flask

from tests.support import api

#: Gives the answer for a path below the service's endpoint.
Service = typing.Callable[[str], typing.Any]

#: Credentials in the file of a process that asks this Keystone.
CREDENTIALS = """
auth_type = password
auth_url = {url}/v3
username = fpga
password = secret
project_name = service
user_domain_name = Default
project_domain_name = Default
"""


class _Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


class _Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, *_words: typing.Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running(
    services: typing.Mapping[str, Service], validated: list[str] | None = None
) -> typing.Iterator[str]:
    """Serve them; Keystone is at the URL, under ``/v3``.

    :param services: by their types
    :param validated: gets each token that Keystone is asked for
    """
    app = flask.Flask("cloud")
    with simple_server.make_server("127.0.0.1", 0, app, _Server, _Quiet) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        catalogue = {kind: f"{url}/{kind}" for kind in services}

        @app.post("/v3/auth/tokens")
        def authenticate() -> typing.Any:
            token = api.token_of(api.OWN, catalogue)
            keystone = token.add_service("identity", name="keystone")
            keystone.add_standard_endpoints(internal=f"{url}/v3", public=f"{url}/v3")
            return dict(token), 201, {"X-Subject-Token": api.OWN.name}

        @app.get("/v3/auth/tokens")
        def validate() -> typing.Any:
            token = flask.request.headers["X-Subject-Token"]
            if validated is not None:
                validated.append(token)
            persona = api.PERSONAS.get(token)
            if persona is None:
                flask.abort(404)
            return dict(api.token_of(persona, catalogue))

        @app.get("/<kind>/<path:path>")
        def answer(kind: str, path: str) -> typing.Any:
            return services[kind](path)

        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield url
        server.shutdown()
