# SPDX-License-Identifier: Apache-2.0
"""The virt driver takes what the Nova at hand passes: its signatures change between releases."""

import inspect
import typing

import pytest
from nova.virt import driver

from novadocker.virt import docker

_OURS = [
    found for found in docker.DockerDriver.__mro__ if found.__module__.startswith("novadocker.")
]
SHARED = sorted(
    {
        name
        for ours in _OURS
        for name, function in vars(ours).items()
        if inspect.isfunction(function) and hasattr(driver.ComputeDriver, name)
    }
)


def parameters(name: str) -> list[inspect.Parameter]:
    """What Nova's own class takes, but for ``self``."""
    signature = inspect.signature(getattr(driver.ComputeDriver, name)).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [parameter for parameter in signature if parameter.kind not in variable][1:]


def bind(name: str, *positional: typing.Any, **keywords: typing.Any) -> None:
    """Call our method in thought.

    :raises TypeError: it does not take these arguments
    """
    inspect.signature(getattr(docker.DockerDriver, name)).bind(None, *positional, **keywords)


@pytest.mark.parametrize("name", SHARED)
def test_method_takes_all_arguments_by_position(name: str) -> None:
    bind(name, *parameters(name))


@pytest.mark.parametrize("name", SHARED)
def test_method_takes_all_arguments_by_name(name: str) -> None:
    bind(name, **{parameter.name: parameter for parameter in parameters(name)})


@pytest.mark.parametrize("name", SHARED)
def test_method_needs_nothing_that_nova_may_leave_out(name: str) -> None:
    bind(name, *(p for p in parameters(name) if p.default is inspect.Parameter.empty))
