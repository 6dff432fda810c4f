# SPDX-License-Identifier: Apache-2.0
"""The service's refusals as exceptions of openstacksdk, with the service's own words."""

import typing

import requests
from openstack import exceptions


class Refusal(typing.NamedTuple):
    """The error document of an answer.

    :ivar code: one of the stable codes in the documentation of the API
    :ivar text: the reason, for people
    :ivar request_id: by which the operator finds the request in the logs
    """

    code: str
    text: str
    request_id: str | None


def refusal(response: requests.Response | None) -> Refusal | None:
    """The refusal in an answer; None if another program answered, as a proxy before the service."""
    if response is None:
        return None
    try:
        error = response.json()["error"]
        text = error.get("detail") or error["title"]
        return Refusal(str(error["code"]), str(text), error.get("request_id"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def raise_for(response: requests.Response) -> None:
    """Raise for an answer that is a refusal, and return for any other.

    :raises openstack.exceptions.HttpException: or its subclass for the status; its text is the
        service's
    """
    found = refusal(response)
    exceptions.raise_from_response(response, error_message=found and found.text)
