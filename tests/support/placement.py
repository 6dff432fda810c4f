# SPDX-License-Identifier: Apache-2.0
"""A real Placement in this process, with its database in a file, beside a Nova of documents."""

import threading
import typing
import uuid

import requests
from keystoneauth1 import adapter as adapters
from keystoneauth1 import session
from oslo_config import cfg
from oslo_config import fixture as config_fixture
from placement import conf as placement_conf
from placement import db_api, deploy, policy
from placement.objects import resource_class, trait
from wsgi_intercept import interceptor

from tests.support.clouds import Nova

_URL = "http://placement.test"
_VERSION = "1.39"

Inventories = dict[str, dict[str, typing.Any]]


def _forget() -> None:
    """Forget database and policy: Placement notes in the process what it was configured with."""
    db_api.placement_context_manager.__init__()  # type: ignore[misc]
    db_api.configure.reset()
    policy.reset()
    trait._TRAITS_SYNCED = resource_class._RESOURCE_CLASSES_SYNCED = False


class Placement(Nova):
    """A cloud whose Placement is real.

    :param url: of an empty database
    :ivar conf: its configuration
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.conf = conf = cfg.ConfigOpts()
        placement_conf.register_opts(conf)
        # Placement's groups of options are one for all configurations of the process.
        self._options = config_fixture.Config(conf)
        self._options.setUp()
        self._options.config(connection=url, sync_on_startup=True, group="placement_database")
        self._options.config(auth_strategy="noauth2", group="api")
        conf([], project="placement", default_config_files=[])
        _forget()
        db_api.configure(conf)
        self._app = deploy.loadapp(conf)
        self._lock = threading.Lock()
        self._interceptor = interceptor.RequestsInterceptor(lambda: self._as_admin, url=_URL)
        self._interceptor.__enter__()
        self._adapter = adapters.Adapter(
            session.Session(session=requests.Session()),
            service_type="placement",
            endpoint_override=_URL,
        )

    def _as_admin(self, environ: dict[str, typing.Any], start: typing.Any) -> typing.Any:
        """Answer whoever asks as an administrator: it knows no tokens.

        One request at a time: SQLite refuses writes beside each other, and what Placement has begun
        then stays.
        """
        with self._lock:
            return self._app(environ | {"HTTP_X_AUTH_TOKEN": "admin"}, start)

    def close(self) -> None:
        """Give the address back, and leave the process as Nova's own fixture needs it."""
        self._interceptor.__exit__(None, None, None)
        self._options.cleanUp()
        _forget()

    def adapter(self, service: str) -> adapters.Adapter:
        """The client of a service type."""
        return self._adapter if service == "placement" else super().adapter(service)

    def ask(self, method: str, path: str, body: typing.Any = None) -> typing.Any:
        """Ask it something that it is to do; what it answers."""
        answer = self._adapter.request(path, method, json=body, microversion=_VERSION)
        return answer.json() if answer.content else None

    def add(
        self,
        name: str,
        inventories: Inventories,
        traits: typing.Collection[str] = (),
        parent: str | None = None,
    ) -> str:
        """Add a provider; its uuid."""
        provider = str(uuid.uuid4())
        body = {"uuid": provider, "name": name}
        if parent is not None:
            body["parent_provider_uuid"] = parent
        self.ask("POST", "/resource_providers", body)
        path = f"/resource_providers/{provider}"
        custom = {one for one in (*inventories, *traits) if one.startswith("CUSTOM_")}
        for one in custom:
            self.ask("PUT", f"/{'resource_classes' if one in inventories else 'traits'}/{one}")
        self.ask(
            "PUT",
            f"{path}/inventories",
            {"resource_provider_generation": 0, "inventories": inventories},
        )
        self.ask(
            "PUT", f"{path}/traits", {"resource_provider_generation": 1, "traits": sorted(traits)}
        )
        return provider

    def remove(self, provider: str) -> None:
        """Remove a provider without children and allocations."""
        self.ask("DELETE", f"/resource_providers/{provider}")

    def allocate(self, allocations: dict[str, typing.Any]) -> str:
        """Allocate what a candidate has; the uuid of the consumer."""
        consumer = str(uuid.uuid4())
        self.ask(
            "PUT",
            f"/allocations/{consumer}",
            {
                "allocations": {
                    provider: {"resources": one["resources"]}
                    for provider, one in allocations.items()
                },
                "project_id": "project",
                "user_id": "user",
                "consumer_generation": None,
                "consumer_type": "INSTANCE",
            },
        )
        return consumer

    def release(self, consumer: str) -> None:
        """Free what a consumer has."""
        self.ask("DELETE", f"/allocations/{consumer}")
