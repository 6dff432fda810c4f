# SPDX-License-Identifier: Apache-2.0
"""The application of fpga-api in process, and the people who use it."""

import dataclasses
import typing
import uuid

import flask
import jsonschema
from keystoneauth1 import fixture as keystone_fixtures
from keystoneauth1 import loading
from keystonemiddleware import fixture as middleware_fixtures
from oslo_config import cfg
from werkzeug.test import TestResponse

from fpga_api import app, handlers, options, service
from fpga_api.db import connection

PROJECT, OTHER_PROJECT, SERVICE_PROJECT = (uuid.UUID(int=number).hex for number in (1, 2, 4))

#: In a path, some object.
PLACEHOLDER = str(uuid.UUID(int=3))

#: Keystone's roles imply each other; a token has them all.
_READER = ("reader",)
_MEMBER = ("member", *_READER)
_MANAGER = ("manager", *_MEMBER)
_ADMIN = ("admin", *_MANAGER)


@dataclasses.dataclass(frozen=True)
class Persona:
    """Somebody with a token.

    :ivar name: which is the token, too
    """

    name: str
    project: str
    roles: tuple[str, ...]

    @property
    def headers(self) -> dict[str, str]:
        """What the requests of this user have."""
        return {"X-Auth-Token": self.name}


PERSONAS = {
    one.name: one
    for one in (
        Persona("no-role", PROJECT, ()),
        Persona("reader", PROJECT, _READER),
        Persona("member", PROJECT, _MEMBER),
        Persona("manager", PROJECT, _MANAGER),
        Persona("admin", OTHER_PROJECT, _ADMIN),
        Persona("service", SERVICE_PROJECT, ("service",)),
        Persona("other-reader", OTHER_PROJECT, _READER),
        Persona("other-member", OTHER_PROJECT, _MEMBER),
    )
}


#: The service itself, with the roles that docs/api.md wants of its user.
OWN = Persona("fpga-api", SERVICE_PROJECT, ("service", *_MEMBER))


def configuration(**groups: dict[str, typing.Any]) -> cfg.ConfigOpts:
    """The configuration of a service that is alone: its cache is in its own memory.

    :param groups: values of options by group
    """
    conf = options.load([])
    app.register_middleware_opts(conf)
    # With the user's token goes the service's, which Glance validates, too.
    conf.register_opts(loading.get_auth_plugin_conf_options("admin_token"), "keystone_authtoken")
    overrides = {
        "cache": {"backend": "dogpile.cache.memory"},
        "keystone_authtoken": {
            "www_authenticate_uri": "http://127.0.0.1:1",
            "service_token_roles_required": True,
            "auth_type": "admin_token",
            "endpoint": "http://127.0.0.1:1",
            "token": OWN.name,
        },
    }
    for values in (overrides, groups):
        for group, pairs in values.items():
            for name, value in pairs.items():
                conf.set_override(name, value, group)
    return conf


class Tokens(middleware_fixtures.AuthTokenFixture):  # type: ignore[misc]
    """The tokens of the personas, which keystonemiddleware takes without asking Keystone.

    :ivar catalogue: endpoints by service type, for the catalogue of each token
    """

    def __init__(self, catalogue: typing.Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.catalogue = dict(catalogue or {})

    def setUp(self) -> None:
        """Add them."""
        super().setUp()
        for persona in (*PERSONAS.values(), OWN):
            self.add_token(token_of(persona, self.catalogue), token_id=persona.name)


def user_id(persona: str) -> str:
    """Of a persona, by its name."""
    return uuid.uuid5(uuid.NAMESPACE_URL, persona).hex


def token_of(persona: Persona, catalogue: typing.Mapping[str, str]) -> keystone_fixtures.V3Token:
    """What Keystone says of a persona's token."""
    token = keystone_fixtures.V3Token(
        user_id=user_id(persona.name),
        user_name=persona.name,
        project_id=persona.project,
        project_name=persona.project,
    )
    for role in persona.roles:
        token.add_role(name=role)
    for kind, url in catalogue.items():
        token.add_service(kind).add_standard_endpoints(public=url)
    return token


@dataclasses.dataclass
class Api:
    """An application, and a client that holds each answer to the schema of its route."""

    service: service.Service
    app: flask.Flask = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.app = app.create_app(self.service.conf, self.service)

    def call(
        self, method: str, path: str, persona: str | None = None, **rest: typing.Any
    ) -> TestResponse:
        """Make a request; a schema of its route that the answer breaks is a failure.

        :param persona: who makes it; None for nobody
        :param rest: what werkzeug's test client takes
        """
        headers = dict(PERSONAS[persona].headers) if persona else {}
        headers |= rest.pop("headers", {})
        response = self.app.test_client().open(path, method=method, headers=headers, **rest)
        self._hold_to_schema(method, path.partition("?")[0], response)
        return response

    def _hold_to_schema(self, method: str, path: str, response: TestResponse) -> None:
        if response.status_code >= 400:
            error = response.json["error"]
            assert error["status"] == response.status_code
            assert error["request_id"]
            return
        rules = self.app.url_map.bind("localhost")
        name, _ = rules.match(path, method)
        schema = next(one for one in handlers.list_routes() if one.name == name).answers[
            response.status_code
        ]
        if schema is not None and response.is_json:
            jsonschema.Draft202012Validator(schema).validate(response.json)


def database(url: str) -> connection.Database:
    """The database at a URL."""
    return connection.Database(configuration(database={"connection": url}))
