# SPDX-License-Identifier: Apache-2.0
"""Serves the page ``/ui/``: static files, which anybody may have.

The page asks the API as any other client does, with the token of its user.
"""

import flask

#: What a browser lets the page do: to run and show these files, and to ask this service.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
#: Files of the folder that a browser may have; the folder has Python modules, too.
FILES = ("board.js", "icon.svg", "index.html", "main.js", "service.js", "style.css")

page = flask.Blueprint("ui", __name__, url_prefix="/ui")


@page.get("/", defaults={"name": "index.html"})
@page.get("/<name>")
def file(name: str) -> flask.Response:
    """One file of the page."""
    if name not in FILES:
        flask.abort(404, f"the page has no file {name}")
    return flask.send_from_directory(page.root_path, name)


@page.after_request
def add_headers(response: flask.Response) -> flask.Response:
    """Say what the page may do, and that a browser asks whether a file is still the same."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
