# SPDX-License-Identifier: Apache-2.0
"""The Nova and the Placement of a functional test, as clients of keystoneauth have them."""

import types
import typing

from nova import utils


class _Nova:
    def __init__(self, api: typing.Any) -> None:
        self._api = api

    def get(self, path: str, microversion: str) -> typing.Any:
        with utils.temporary_mutation(self._api, microversion=microversion):
            answer = self._api.api_get(path)
        return types.SimpleNamespace(json=lambda: answer.body)


class _Placement:
    def __init__(self, api: typing.Any) -> None:
        self._api = api

    def get(self, path: str, microversion: str) -> typing.Any:
        answer = self._api.get(path, version=microversion)
        assert answer.status == 200, answer.body
        return types.SimpleNamespace(json=lambda: answer.body)


def adapters(nova: typing.Any, placement: typing.Any) -> typing.Callable[[str], typing.Any]:
    """What makes the client of a service type.

    :param nova: the API client of a functional test
    :param placement: that of its Placement
    """
    return {"compute": _Nova(nova), "placement": _Placement(placement)}.__getitem__
