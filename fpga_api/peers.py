# SPDX-License-Identifier: Apache-2.0
"""Reads from the other services of the cloud: one way to ask, to page and to fail."""

import typing
import urllib.parse

from keystoneauth1 import adapter as adapters
from keystoneauth1 import exceptions

from fpga_api import errors

#: Nova since Zed has this; 2.61 brought the extra specs into the list of flavors.
COMPUTE = "2.79"

_PAGE = 1000

Document = dict[str, typing.Any]


def quote(text: str) -> str:
    """A text as a part of a path, or as the value of a parameter."""
    return urllib.parse.quote(text, safe="")


class MissingError(errors.CloudUnavailable):
    """Another service of the cloud does not have what was asked for.

    Where nobody expects that, the service is not what the catalogue says.
    """


class Peers:
    """The other services of a cloud, as this service's user sees them.

    Each method raises `errors.CloudUnavailable` where a service does not answer.

    :param adapter: makes the client of a service type
    """

    def __init__(self, adapter: typing.Callable[[str], adapters.Adapter]) -> None:
        self._adapter = adapter
        self._adapters: dict[str, adapters.Adapter] = {}

    def get(self, service: str, path: str, version: str | None = None) -> typing.Any:
        """The answer of a service to a GET.

        :raises MissingError: it answers with status 404
        """
        try:
            if service not in self._adapters:
                self._adapters[service] = self._adapter(service)
            return self._adapters[service].get(path, microversion=version).json()
        except exceptions.NotFound as e:
            raise MissingError(f"the {service} service has no {path}") from e
        except (exceptions.ClientException, ValueError) as e:
            raise errors.CloudUnavailable(
                f"the {service} service does not answer {path}: {e}"
            ) from e

    def pages(self, path: str, name: str, version: str = COMPUTE) -> typing.Iterator[Document]:
        """All items of a list of Nova.

        :param path: without a query, or with one
        :param name: of the list in an answer
        """
        joint = "&" if "?" in path else "?"
        marker = ""
        while True:
            answer = self.get("compute", f"{path}{joint}limit={_PAGE}{marker}", version)
            found: list[Document] = answer[name]
            yield from found
            if not any(link.get("rel") == "next" for link in answer.get(f"{name}_links", ())):
                return
            marker = f"&marker={quote(str(found[-1]['id']))}"

    def flavor_documents(self) -> typing.Iterator[Document]:
        """All flavors with their extra specs: those that few projects see or are disabled, too."""
        return self.pages("/flavors/detail?is_public=None", "flavors")
