# SPDX-License-Identifier: Apache-2.0
"""How much Keystone's unified limits allow a project."""

import typing

from keystoneauth1 import exceptions as keystone
from openstack import exceptions
from oslo_config import cfg
from oslo_limit import exception as limit_errors
from oslo_limit import limit

from fpga_api import errors
from fpga_api.service import Service

#: The resource that limits claims.
NAME = "fpga_claims"

_FAILURES = (
    *(keystone.ClientException, exceptions.SDKException, limit_errors.SessionInitError),
    # So oslo.limit 2.12 says that the endpoint of its configuration is not in Keystone.
    ValueError,
)


def configure(conf: cfg.ConfigOpts) -> None:
    """Have oslo.limit read the files of a configuration: it reads the global one alone."""
    if conf.claims.unified_limits or conf.opencl.unified_limits:
        cfg.CONF([], project="fpga-nova", prog="fpga-api", default_config_files=conf.config_file)


def permit(service: Service, project: str) -> typing.Callable[[int], None]:
    """What refuses one claim more where a project has as many as its limit.

    Keystone is asked now, and not when what is returned is called.

    :raises errors.QuotaUnavailable: Keystone does not answer
    """
    if not service.conf.claims.unified_limits:
        return lambda _count: None
    most = ask(project, NAME)

    def check(count: int) -> None:
        if 0 <= most[NAME] <= count:
            raise errors.LimitReached(f"the project has {count} claims, and may have {most[NAME]}")

    return check


def ask(project: str, *names: str) -> dict[str, int]:
    """A project's limits in Keystone, by name; -1 is none.

    :raises errors.QuotaUnavailable: Keystone does not answer
    """
    try:
        enforcer = limit.Enforcer(_count_nothing, cache=False)
        return dict(enforcer.get_project_limits(project, list(names)))
    except _FAILURES as e:
        raise errors.QuotaUnavailable(f"Keystone does not give the limit of {names[0]}") from e


def _count_nothing(_project: str | None, names: typing.Collection[str]) -> dict[str, int]:
    """The usage is counted in the transaction that adds something."""
    return dict.fromkeys(names, 0)
