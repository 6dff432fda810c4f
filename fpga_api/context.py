# SPDX-License-Identifier: Apache-2.0
"""Who makes a request: what keystonemiddleware found out of the token."""

import json
import typing

from oslo_context import context

#: What the environment has of a request whose token Keystone knows.
CONFIRMED = "fpga_api.confirmed"


class RequestContext(context.RequestContext):  # type: ignore[misc]
    """The user, the project and the roles of a token.

    :ivar anonymous: there is no valid token
    :ivar catalogue: the services of the token, as keystonemiddleware gives them
    """

    anonymous = False

    def __init__(
        self,
        *,
        anonymous: bool = False,
        catalogue: typing.Iterable[dict[str, typing.Any]] = (),
        **fields: typing.Any,
    ) -> None:
        # The context of a thread is for logs alone, and set by who serves the request.
        super().__init__(overwrite=False, **fields)
        self.anonymous = anonymous
        self.catalogue = list(catalogue)


def of_environ(environ: dict[str, typing.Any]) -> RequestContext:
    """The context of a WSGI request that passed through keystonemiddleware.

    Without a valid token nothing of what the request says of its maker is used.
    """
    if CONFIRMED not in environ:
        return RequestContext(
            anonymous=True, request_id=environ.get("openstack.request_id"), roles=[]
        )
    catalogue = json.loads(environ.get("HTTP_X_SERVICE_CATALOG") or "[]")
    found = RequestContext.from_environ(environ, catalogue=catalogue)
    return typing.cast(RequestContext, found)
