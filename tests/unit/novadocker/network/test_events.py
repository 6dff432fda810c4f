# SPDX-License-Identifier: Apache-2.0
"""The wait for Neutron's word that ports are plugged."""

import contextlib
import time

import pytest

from novadocker import errors
from novadocker.network import events


class _VirtAPI:
    """Nova's, with an end of the wait that a test chooses."""

    def __init__(self, end=None):
        self.asked = []
        self._end = end

    @contextlib.contextmanager
    def wait_for_instance_event(self, instance, names, seconds, error_callback):
        self.asked.append((names, seconds))
        yield
        if self._end == "failed":
            error_callback("network-vif-plugged-p", instance)
        elif self._end:
            raise self._end


_INACTIVE = [{"id": "p", "active": False}, {"id": "q", "active": True}]
_NAMES = [("network-vif-plugged", "p")]


def test_ports_that_are_not_active_are_waited_for(config, instance):
    config(vif_plugging_timeout=7)
    virtapi = _VirtAPI()
    with events.awaited(virtapi, instance, _INACTIVE):
        assert virtapi.asked == [(_NAMES, 7)]


def test_active_ports_are_not_waited_for(config, instance):
    virtapi = _VirtAPI()
    with events.awaited(virtapi, instance, _INACTIVE[1:]):
        pass
    assert virtapi.asked == []


def test_no_time_is_no_wait(config, instance):
    config(vif_plugging_timeout=0)
    virtapi = _VirtAPI()
    with events.awaited(virtapi, instance, _INACTIVE):
        pass
    assert virtapi.asked == []


@pytest.mark.parametrize("end", [events.EventTimeout(), "failed"])
def test_a_wait_in_vain_is_a_failure(config, instance, end):
    reached = []
    wait = events.awaited(_VirtAPI(end), instance, _INACTIVE)
    with pytest.raises(errors.PlugNotReported, match=r"plugged within 300 s|as failed"), wait:
        reached.append(True)
    assert reached


@pytest.mark.parametrize("end", [events.EventTimeout(), "failed"])
def test_a_wait_in_vain_is_only_logged_where_it_is_not_fatal(config, instance, end, caplog):
    config(vif_plugging_is_fatal=False)
    with events.awaited(_VirtAPI(end), instance, _INACTIVE):
        pass
    assert "the container starts all the same" in caplog.text or "as failed" in caplog.text


def test_the_time_of_a_wait_is_logged(config, instance, caplog):
    caplog.set_level("INFO")
    with events.awaited(_VirtAPI(), instance, _INACTIVE):
        time.sleep(0.1)  # is not waited
    assert "Waited 0.00 s for Neutron to report its ports plugged" in caplog.text


def test_a_failure_before_the_wait_is_its_own(config, instance):
    with pytest.raises(ZeroDivisionError), events.awaited(_VirtAPI(), instance, _INACTIVE):
        raise ZeroDivisionError
