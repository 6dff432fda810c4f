# SPDX-License-Identifier: Apache-2.0
"""What the handlers of an application, and the tasks of the engine, share."""

import contextlib
import functools
import threading
import typing

from keystoneauth1 import adapter as adapters
from keystoneauth1 import loading
from keystoneauth1 import session as sessions
from oslo_config import cfg

from fpga_api import errors, options, policies, publication
from fpga_api.db import connection

#: Seconds that a request waits for its place among those that wait for other services.
_TURN = 0.5


class Service:
    """The configuration, and all that is made of it once.

    :ivar conf: options of `fpga_api.options`
    :ivar publication: what the engine published
    :ivar policy: who may do what
    :ivar database: the service's own
    """

    def __init__(
        self, conf: cfg.ConfigOpts, published: publication.Publication | None = None
    ) -> None:
        self.conf = conf
        self.publication = published or publication.Publication.of(conf)
        self.policy = policies.Enforcer(conf)
        self.database = connection.Database(conf)
        self._outside = threading.BoundedSemaphore(max(1, conf.fpga_api.threads * 3 // 4))

    @contextlib.contextmanager
    def outside(self) -> typing.Iterator[None]:
        """A place among the requests that wait for others; some threads wait for nobody.

        So what is answered from the cache is answered while another service is slow.

        :raises errors.Busy: there is none
        """
        if not self._outside.acquire(timeout=_TURN):
            raise errors.Busy("too many requests wait for other services; try again later")
        try:
            yield
        finally:
            self._outside.release()

    @functools.cached_property
    def session(self) -> sessions.Session:
        """A session of the service's own user.

        :raises keystoneauth1.exceptions.MissingRequiredOptions: the configuration lacks something
        """
        auth = loading.load_auth_from_conf_options(self.conf, options.CREDENTIALS)
        return self._session(auth)

    def user_session(self, auth: typing.Any) -> sessions.Session:
        """A session of the user who makes a request.

        :param auth: the plugin that keystonemiddleware made of the user's token
        """
        return self._session(auth)

    def adapter(self, service_type: str, user: typing.Any = None) -> adapters.Adapter:
        """The client of another service of the cloud, at the endpoint of its catalogue.

        :param user: a plugin of keystoneauth; None for the service's own user
        """
        found = loading.load_adapter_from_conf_options(
            self.conf,
            options.CREDENTIALS,
            session=self.session if user is None else self.user_session(user),
            service_type=service_type,
        )
        return typing.cast(adapters.Adapter, found)

    def _session(self, auth: typing.Any) -> sessions.Session:
        found = loading.load_session_from_conf_options(self.conf, options.CREDENTIALS, auth=auth)
        return typing.cast(sessions.Session, found)
