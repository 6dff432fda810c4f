# SPDX-License-Identifier: Apache-2.0
"""fpga-api as a node, or an agent, sees it."""

import typing

from keystoneauth1 import adapter as adapters
from keystoneauth1 import exceptions, loading
from oslo_config import cfg

_VERSION = "fpga 1.0"

Document = dict[str, typing.Any]


class Unreachable(Exception):
    """fpga-api or Keystone does not answer, or answers something else."""


class NotRegistered(Exception):
    """The node has to register again."""


class Refused(Exception):
    """fpga-api refuses; the message is its reason."""


class Service:
    """fpga-api.

    :param section: of the configuration: how to authenticate, and where the service is
    :raises keystoneauth1.exceptions.MissingRequiredOptions: the configuration lacks something
    """

    def __init__(self, conf: cfg.ConfigOpts, section: str) -> None:
        auth = loading.load_auth_from_conf_options(conf, section)
        session = loading.load_session_from_conf_options(conf, section, auth=auth)
        defaults = {} if conf[section].service_type else {"service_type": "fpga"}
        self._adapter: adapters.Adapter = loading.load_adapter_from_conf_options(
            conf, section, session=session, **defaults
        )

    def call(self, method: str, path: str, body: Document | None = None) -> Document:
        """The answer to a request.

        :raises NotRegistered, Refused, Unreachable: there is none
        """
        try:
            answer = self._adapter.request(
                path,
                method,
                raise_exc=False,
                headers={"OpenStack-API-Version": _VERSION},
                **({} if body is None else {"json": body}),
            )
            document = dict(answer.json()) if answer.content else {}
        except (exceptions.ClientException, ValueError, TypeError) as e:
            raise Unreachable(f"fpga-api does not answer {path}: {e}") from e
        if answer.status_code < 400:
            return document
        error = document.get("error")
        error = error if isinstance(error, dict) else {}
        if error.get("code") == "fpga.node_unknown":
            raise NotRegistered(path)
        reason = f"fpga-api answers {answer.status_code} to {path}: {error.get('detail')}"
        raise Unreachable(reason) if answer.status_code >= 500 else Refused(reason)
