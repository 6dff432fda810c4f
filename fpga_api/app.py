# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: middleware around the routes of the handlers."""

import functools
import json
import typing

import flask
import werkzeug.exceptions
from keystonemiddleware import auth_token
from oslo_config import cfg
from oslo_log import log as logging
from oslo_middleware import healthcheck, http_proxy_to_wsgi, request_id
from werkzeug.middleware import dispatcher

from fpga_api import context, errors, handlers, routing, tokens
from fpga_api.schemas import common
from fpga_api.service import Service
from fpga_api.ui.page import page

LOG = logging.getLogger(__name__)

HEALTHCHECK = "/healthcheck"

#: Seconds that Keystone has for an answer, unless the operator says otherwise.
_PATIENCE = 10

_OF_BODY = ("Content-Type", "Content-Length")

_WSGI = typing.Callable[..., typing.Any]


def create_app(
    conf: cfg.ConfigOpts, service: Service | None = None, authenticate: bool = True
) -> flask.Flask:
    """The application for a configuration.

    :param service: what the handlers share; None to make it of the configuration
    :param authenticate: whether Keystone validates tokens; else each request is anonymous
    :raises keystoneauth1.exceptions.MissingRequiredOptions: `[keystone_authtoken]` lacks something
    :raises keystonemiddleware.exceptions.ConfigurationError: it has what does not go together
    :raises ValueError: the policy, or something in the configuration, is not valid
    """
    service = service or Service(conf)
    service.policy.load()
    app = flask.Flask("fpga_api", static_folder=None)
    routes = handlers.list_routes()
    for route in routes:
        app.add_url_rule(
            _rule(route),
            route.name,
            functools.partial(_view, service, route),
            methods=[route.method],
            provide_automatic_options=False,
            strict_slashes=True,
        )
    app.register_blueprint(page)
    app.register_error_handler(errors.ApiError, _failure)
    app.register_error_handler(werkzeug.exceptions.HTTPException, _http_failure)
    app.register_error_handler(Exception, _fault)
    app.after_request(_add_headers)
    public = frozenset(route.path for route in routes if route.rule is None)
    app.wsgi_app = _wrap(app.wsgi_app, conf, public, authenticate)  # type: ignore[method-assign]
    return app


def register_middleware_opts(conf: cfg.ConfigOpts) -> None:
    """Register what the middleware would register when it is made."""
    for group, opts in auth_token.list_opts():
        conf.register_opts(opts, group=group)
    # Each question to Keystone, not its connection alone; by default a thread waits for ever.
    conf.set_default("http_connect_timeout", _PATIENCE, "keystone_authtoken")


def _wrap(
    application: _WSGI, conf: cfg.ConfigOpts, public: frozenset[str], authenticate: bool
) -> _WSGI:
    """Middleware around an application, the last one outermost.

    :param public: paths that nobody needs a token for
    """
    authenticated = application
    if authenticate:
        # With `delay_auth_decision`, keystonemiddleware 13 takes each token for invalid while
        # Keystone does not answer. So who has a token meets it, and who has none does not.
        confirmed = functools.partial(_confirm, application)
        register_middleware_opts(conf)
        local = {"oslo_config_config": conf, "delay_auth_decision": False}
        cache = tokens.cache(conf)
        if cache is not None:
            local["cache"] = tokens.ENVIRON
        checked = auth_token.AuthProtocol(confirmed, local)
        authenticated = functools.partial(_remember, checked, cache)
    application = functools.partial(_choose, application, authenticated, public)
    application = functools.partial(_json_failures, application)
    health = healthcheck.Healthcheck(None, conf)
    application = dispatcher.DispatcherMiddleware(application, {HEALTHCHECK: health})
    application = request_id.RequestId(application)
    return typing.cast(_WSGI, http_proxy_to_wsgi.HTTPProxyToWSGI(application, conf))


def _choose(
    anonymous: _WSGI,
    authenticated: _WSGI,
    public: frozenset[str],
    environ: dict[str, typing.Any],
    start_response: _WSGI,
) -> typing.Any:
    if not environ.get("CONTENT_LENGTH"):
        # Some servers have it empty, which werkzeug takes for 0.
        environ.pop("CONTENT_LENGTH", None)
    if "HTTP_X_AUTH_TOKEN" in environ and environ["PATH_INFO"] not in public:
        return authenticated(environ, start_response)
    return anonymous(environ, start_response)


def _remember(
    application: _WSGI,
    cache: tokens.Cache | None,
    environ: dict[str, typing.Any],
    start_response: _WSGI,
) -> typing.Any:
    """Have keystonemiddleware find the cache of tokens."""
    environ[tokens.ENVIRON] = cache
    return application(environ, start_response)


def _confirm(
    application: _WSGI, environ: dict[str, typing.Any], start_response: _WSGI
) -> typing.Any:
    """Note in a place that no header reaches that Keystone knows the token."""
    environ[context.CONFIRMED] = True
    return application(environ, start_response)


def _rule(route: routing.Route) -> str:
    """The path for werkzeug: what is no uuid is not taken for one, so that other words are free."""
    path = route.path
    for name, schema in route.variables.items():
        if schema == common.UUID:
            path = path.replace(f"<{name}>", f"<uuid:{name}>")
    return path


def _view(service: Service, route: routing.Route, **variables: object) -> flask.Response:
    return routing.answer(service, route, {name: str(one) for name, one in variables.items()})


def _failure(error: errors.ApiError) -> flask.Response:
    request = flask.request.environ.get(request_id.ENV_REQUEST_ID)
    response = routing.respond(error.status, errors.document(error, request))
    if error.status == errors.Unauthorized.status:
        response.headers["WWW-Authenticate"] = "Keystone"
    return response


def _http_failure(error: werkzeug.exceptions.HTTPException) -> flask.Response:
    if isinstance(error, werkzeug.exceptions.NotFound):
        return _failure(errors.NotFound(f"the service has no {flask.request.path[:255]}"))
    if isinstance(error, werkzeug.exceptions.ClientDisconnected):
        return _failure(errors.TooSlow("the body ended before its Content-Length"))
    response = _failure(errors.of_status(error.code or 500, error.description or error.name))
    # Such as Allow, which says the methods that there are.
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def _fault(_error: Exception) -> flask.Response:
    LOG.exception("%s %s failed", flask.request.method, flask.request.path)
    return _failure(errors.InternalError("the service's log has more under the request's id"))


def _add_headers(response: flask.Response) -> flask.Response:
    response.headers[routing.VERSION_HEADER] = f"{routing.SERVICE_TYPE} {routing.VERSION}"
    response.headers.add("Vary", routing.VERSION_HEADER)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _json_failures(
    application: _WSGI, environ: dict[str, typing.Any], start_response: _WSGI
) -> typing.Iterable[bytes]:
    """Give what fails in the middleware, which means Keystone, the form of our own failures."""
    answers: list[tuple[typing.Any, ...]] = []

    def start(status: str, headers: typing.Any, *rest: typing.Any) -> typing.Any:
        ours = any(name == routing.VERSION_HEADER for name, _ in headers)
        if status[0] in "45" and not ours:
            answers.append((status, headers))
            return lambda _data: None
        return start_response(status, headers, *rest)

    body = application(environ, start)
    if not answers:
        return typing.cast(typing.Iterable[bytes], body)
    status = int(answers[0][0][:3])
    error: errors.ApiError = errors.of_status(status, "the token is not valid")
    if status == errors.Unavailable.status:
        error = errors.KeystoneUnavailable("Keystone does not answer; try again later")
    text = json.dumps(errors.document(error, environ.get(request_id.ENV_REQUEST_ID))).encode()
    headers = [(name, value) for name, value in answers[0][1] if name not in _OF_BODY]
    headers += [("Content-Type", routing.JSON), ("Content-Length", str(len(text)))]
    start_response(answers[0][0], headers)
    return [text]
