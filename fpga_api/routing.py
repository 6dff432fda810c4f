# SPDX-License-Identifier: Apache-2.0
"""Routes: how a request becomes the arguments of a handler, and its answer an HTTP answer."""

import contextlib
import dataclasses
import json
import re
import typing

import flask
import microversion_parse
from oslo_config import cfg

from fpga_api import context as contexts
from fpga_api import errors, schemas
from fpga_api.schemas import common
from fpga_api.service import Service

#: What the header OpenStack-API-Version names.
SERVICE_TYPE = "fpga"
VERSION = "1.0"
VERSION_HEADER = "OpenStack-API-Version"

#: A part of the header; that of another service is not looked at.
_VERSIONS = re.compile(r"[a-z][a-z-]* (\d+\.\d+|latest)", re.IGNORECASE | re.ASCII)

#: Bytes of a body of JSON.
MAX_JSON = 64 * 1024
_CHUNK = 64 * 1024
JSON = "application/json"
PACKAGE = "application/zip"

#: What a variable of a path is where its route says nothing else.
WORD: schemas.Schema = {"type": "string", "minLength": 1, "maxLength": 255}

Target = typing.Mapping[str, typing.Any]
#: A status and a document; None where the answer has no body.
Answer = tuple[int, dict[str, typing.Any] | None]


@dataclasses.dataclass
class Request:
    """A request that is what its route takes.

    :ivar path: the variables of the path
    :ivar query: the parameters of the query, with their defaults
    :ivar body: of a route that takes JSON
    :ivar stream: the body of a route that takes a package
    :ivar auth: keystoneauth's plugin of the user's token; None for an anonymous request
    """

    service: Service
    context: contexts.RequestContext
    route: "Route"
    path: dict[str, str]
    query: dict[str, typing.Any]
    body: typing.Any = None
    stream: typing.IO[bytes] | None = None
    auth: typing.Any = None
    checked: bool = False

    def chunks(self) -> typing.Iterator[bytes]:
        """The package in the body, part by part.

        :raises errors.TooLarge: it is
        :raises werkzeug.exceptions.HTTPException: it breaks off
        """
        if self.stream is None:
            return iter(())
        return _chunks(self.stream, self.service.conf.packages.max_size)

    def check(self, target: Target) -> None:
        """Check the route's rule for the object that was loaded.

        :raises errors.NotFound: the user does not see the object
        :raises errors.Forbidden: the user sees it, but may not do this
        """
        self.checked = True
        permits = self.service.policy.permits
        sight = self.route.sight or self.route.rule
        if sight and not permits(self.context, sight, target):
            raise errors.NotFound(f"there is no {self.route.what} {target.get('id')}")
        if self.route.rule:
            self.service.policy.check(self.context, self.route.rule, target)

    def sees(self, target: Target) -> bool:
        """Whether an object belongs into the user's list."""
        rule = self.route.sight or self.route.rule
        return rule is None or self.service.policy.permits(self.context, rule, target)

    def whose(self, project: str | None) -> tuple[bool, str | None]:
        """Whose objects a list has: whether the user sees any of them, and the project.

        :param project: that the query asks for; None for all that the user sees
        :returns: the project is None for those of all projects
        """
        if project is None and self.sees({"project_id": ""}):
            return True, None
        project = project or self.context.project_id
        return self.sees({"project_id": project}), project


Handler = typing.Callable[[Request], Answer]


def _never(_conf: cfg.ConfigOpts) -> bool:
    return False


@dataclasses.dataclass(frozen=True)
class Route:
    """What one method of one path takes and gives.

    :ivar path: with variables in angle brackets
    :ivar rule: of policy; None if anybody may ask
    :ivar of_object: whether the handler itself checks the rule, by `Request.check` with the object
        that it loaded; else it is checked before, for no object
    :ivar sight: the rule that decides whether the user sees an object; None if it is `rule`
    :ivar what: the kind of object, for messages
    :ivar query: schema of the query
    :ivar body: schema of a JSON body; None if there is no body, or another one
    :ivar package: whether the body is a bitstream package
    :ivar answers: the schema of each answer by status; None if it has no body
    :ivar outside: whether its answer waits for other services, the database or the reader of
        packages
    :ivar failures: statuses of failures beside those that each route has
    :ivar anonymous: whether the operator lets anybody ask
    :ivar variables: schema of each variable of the path
    """

    method: str
    path: str
    handler: Handler
    summary: str
    rule: str | None
    answers: dict[int, schemas.Schema | None]
    of_object: bool = False
    sight: str | None = None
    what: str = "object"
    query: schemas.Schema = dataclasses.field(default_factory=lambda: common.NO_QUERY)
    body: schemas.Schema | None = None
    package: bool = False
    outside: bool = False
    failures: tuple[int, ...] = ()
    anonymous: typing.Callable[[cfg.ConfigOpts], bool] = _never
    variables: dict[str, schemas.Schema] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called in tables: method and path."""
        return f"{self.method} {self.path}"


def answer(service: Service, route: Route, variables: dict[str, str]) -> flask.Response:
    """Answer the request that Flask has at hand.

    :raises errors.ApiError: the request failed
    """
    _negotiate()
    _find(route, variables)
    environ = flask.request.environ
    context = contexts.of_environ(environ)
    _authenticate(service, route, context)
    auth = None if context.anonymous else environ.get("keystone.token_auth")
    request = Request(service, context, route, variables, {}, auth=auth)
    if context.anonymous or route.rule is None:
        request.checked = True
    elif not route.of_object:
        service.policy.check(context, route.rule, {})
        request.checked = True
    request.query = schemas.query(flask.request.args.items(multi=True), route.query)
    _take_body(request)
    with service.outside() if route.outside else contextlib.nullcontext():
        status, document = route.handler(request)
    if not request.checked:
        raise RuntimeError(f"the handler of {route.name} checked no policy")
    return respond(status, document)


def respond(status: int, document: typing.Any) -> flask.Response:
    """An answer with a document of JSON, or without a body."""
    text = "" if document is None else json.dumps(document, separators=(",", ":"))
    response = flask.Response(text, status, mimetype=JSON)
    if document is None:
        del response.headers["Content-Type"]
    return response


def _find(route: Route, variables: dict[str, str]) -> None:
    """See that an object of this name can be there at all."""
    for name, value in variables.items():
        try:
            schemas.validate(value, route.variables.get(name, WORD), name)
        except errors.BadRequest as e:
            raise errors.NotFound(f"there is no {route.what} {value[:255]!r}") from e


def _negotiate() -> None:
    headers = dict(flask.request.headers)
    header = flask.request.headers.get(VERSION_HEADER)
    named = [] if header is None else [part.strip() for part in header.split(",")]
    if not all(map(_VERSIONS.fullmatch, named)):
        raise errors.BadRequest(f"{VERSION_HEADER} is not a service type and a version")
    asked = microversion_parse.get_version(headers, SERVICE_TYPE)
    if asked is None or asked == "latest":
        return
    if asked != VERSION:
        raise errors.NotAcceptable(
            f"the service has version {VERSION}, and not {str(asked)[:32]} of {VERSION_HEADER}"
        )


def _authenticate(service: Service, route: Route, context: contexts.RequestContext) -> None:
    if context.anonymous and route.rule is not None and not route.anonymous(service.conf):
        raise errors.Unauthorized("the request has no valid token (X-Auth-Token)")


def _take_body(request: Request) -> None:
    route = request.route
    if route.package:
        _want_type(PACKAGE)
        request.stream = _stream(request.service.conf.packages.max_size)
    elif route.body is not None:
        _want_type(JSON)
        try:
            request.body = json.loads(b"".join(_chunks(_stream(MAX_JSON), MAX_JSON)))
        except (ValueError, RecursionError) as e:
            raise errors.BadRequest(f"the body is not JSON: {str(e)[:200]}") from e
        schemas.validate(request.body, route.body, "the body")


def _chunks(stream: typing.IO[bytes], limit: int) -> typing.Iterator[bytes]:
    """The body of a request, part by part.

    :raises errors.TooLarge: it is
    :raises werkzeug.exceptions.HTTPException: it breaks off
    """
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        _hold_to(limit, size)
        yield chunk


def _hold_to(limit: int, size: int) -> None:
    # Not left to Flask, which takes a limit for one request since its release 3.1 alone.
    if size > limit:
        raise errors.TooLarge(f"the body is larger than {limit} bytes")


def _want_type(wanted: str) -> None:
    found = flask.request.mimetype
    if found != wanted:
        raise errors.UnsupportedMediaType(f"the body has to be {wanted}, and is {found[:64]!r}")


def _stream(limit: int) -> typing.IO[bytes]:
    request = flask.request
    if request.content_length is None and not request.environ.get("wsgi.input_terminated"):
        raise errors.LengthRequired("the length of the body is not in Content-Length")
    _hold_to(limit, request.content_length or 0)
    return request.stream
