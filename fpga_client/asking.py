# SPDX-License-Identifier: Apache-2.0
"""How the proxy asks the service: one version of the API, whole lists, and refusals raised."""

import typing
import urllib.parse

import requests
from openstack import proxy

from fpga_client import errors
from fpga_client.report import Report
from fpga_client.resources import FpgaResource

#: The version of the API that this client speaks.
MICROVERSION = "1.0"

_R = typing.TypeVar("_R", bound=FpgaResource)


class Asking(proxy.Proxy):  # type: ignore[misc]
    """A proxy of openstacksdk for the service."""

    # The catalogue has the root of the service, and the paths of the resources have the version.
    skip_discovery = True

    def request(
        self, url: str, method: str, *args: typing.Any, **kwargs: typing.Any
    ) -> requests.Response:
        """Send a request with this client's version of the API, and raise for a refusal."""
        kwargs["microversion"] = kwargs.get("microversion") or MICROVERSION
        response: requests.Response = super().request(url, method, *args, **kwargs)
        errors.raise_for(response)
        return response

    def _report(self, kind: type[_R], query: dict[str, typing.Any]) -> Report[_R]:
        """All pages of a list."""
        params = present(query)
        items: list[_R] = []
        while True:
            answer = self.get(kind.base_path, params=params).json()
            items += [self._existing(kind, one) for one in answer[kind.resources_key]]
            if not answer.get("next"):
                break
            # Its query alone: a token goes nowhere but to the service.
            params = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer["next"]).query))
        return Report(
            tuple(items),
            answer.get("at"),
            answer.get("age"),
            bool(answer.get("stale")),
            tuple(answer.get("unreachable", ())),
            answer.get("complete", True),
            answer.get("regions"),
        )

    def _one(
        self, kind: type[_R], identifier: str, query: dict[str, str | None] | None = None
    ) -> _R:
        answer = self.get(path_of(kind, identifier), params=present(query or {})).json()
        return self._existing(kind, answer[kind.resource_key] if kind.resource_key else answer)

    def _existing(self, kind: type[_R], attributes: dict[str, typing.Any]) -> _R:
        found: _R = kind.existing(connection=self._connection, **attributes)
        return found


def present(query: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """The parameters of a query that have a value."""
    return {key: value for key, value in query.items() if value is not None}


def path_of(kind: type[FpgaResource], identifier: str) -> str:
    """The path of one resource; an identifier may have any characters."""
    return f"{kind.base_path}/{urllib.parse.quote(identifier, safe='')}"
