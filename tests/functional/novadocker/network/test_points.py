# SPDX-License-Identifier: Apache-2.0
"""The points at which tests kill nova-compute are on the ways that the driver takes."""

import importlib

import pytest

from tests.functional.novadocker.network import ports
from tests.support import mortal, network_points

#: The driver's entrance, which the test itself calls.
_ENTRANCE = {"spawn", "destroy"}


@pytest.fixture
def passed(monkeypatch):
    """The names of the steps that were taken."""
    names = set()

    def note(name, holder, function):
        real = getattr(holder, function)

        def call(*arguments, **more):
            names.add(name)
            return real(*arguments, **more)

        monkeypatch.setattr(holder, function, call)

    for name, target in mortal.STEPS.items():
        module, _, path = target.partition(":")
        if "{" not in module and not module.startswith("nova."):
            holder = importlib.import_module(module)
            *classes, function = path.split(".")
            for one in classes:
                holder = getattr(holder, one)
            note(name, holder, function)
    return names


def _steps(path):
    return {point.partition(":")[0] for point in network_points.POINTS[path]} - _ENTRANCE


def test_each_point_is_passed(net, passed):
    instance, vif = net.instance(), ports.vif("10.20.0.5")
    actions = {
        "boot": lambda: net.spawn(instance, network_info=ports.info(vif)),
        "stop": lambda: net.driver.power_off(instance, timeout=5),
        "start": lambda: net.driver.power_on(net.context, instance, ports.info(vif)),
        "hard reboot": lambda: net.driver.reboot(net.context, instance, ports.info(vif), "HARD"),
        "detach": lambda: net.driver.detach_interface(net.context, instance, vif),
        "attach": lambda: net.driver.attach_interface(net.context, instance, net.image, vif),
        "delete": lambda: net.destroy(instance),
    }
    for name, action in actions.items():
        passed.clear()
        action()
        assert _steps(name) <= passed, name
