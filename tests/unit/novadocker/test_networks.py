# SPDX-License-Identifier: Apache-2.0
"""Ports of instances, as Nova gives them to the driver."""

import time

from novadocker.virt import networks


class _Asked(list):
    """Nova's list of ports, which another thread fills."""

    def __iter__(self):
        time.sleep(0.1)
        return super().__iter__()


def test_the_wait_for_the_ports_is_logged(config, instance, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(networks.interfaces, "of", lambda vif: None)
    assert networks.required(instance, _Asked([{"id": "p"}])) == [{"id": "p"}]
    assert "Waited 0.1" in caplog.text
    assert "s for Neutron to allocate its ports" in caplog.text


def test_a_server_without_ports_waits_for_nothing(config, instance, caplog):
    caplog.set_level("INFO")
    assert networks.required(instance, _Asked()) == []
    assert "Waited" not in caplog.text
