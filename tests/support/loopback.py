# SPDX-License-Identifier: Apache-2.0
"""Serves a WSGI application on the loopback address, from a thread."""

import contextlib
import threading
import typing

from werkzeug import serving


class _Quiet(serving.WSGIRequestHandler):
    """Logs no requests."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: typing.Any) -> None:  # noqa: A002
        """Nothing."""


@contextlib.contextmanager
def serve(application: typing.Any, port: int = 0) -> typing.Iterator[str]:
    """The address at which the application answers.

    :param port: 0 for any that is free
    """
    server = serving.make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=_Quiet
    )
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
