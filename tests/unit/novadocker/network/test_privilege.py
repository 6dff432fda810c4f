# SPDX-License-Identifier: Apache-2.0
"""The privileged process of networks, as nova-compute starts it."""

import subprocess
import sys

from oslo_privsep import capabilities, priv_context
from oslo_rootwrap import wrapper

from novadocker.network import links, privilege

_SOCKET = "/tmp/tmpa_0Zx9/privsep.sock"


def test_rootwrap_permits_its_command_by_itself(config):
    """No filter of ours is needed, and none would bound the command."""
    command = privilege.context.helper_command(_SOCKET)
    words = command[command.index("privsep-helper") :]
    assert words == [
        "privsep-helper",
        "--privsep_context",
        "novadocker.network.privilege.context",
        "--privsep_sock_path",
        _SOCKET,
    ]
    (found,) = [one for one in wrapper.load_filters([]) if one.match(words)]
    assert found.name == "privsep-helper"


def test_the_process_keeps_two_capabilities():
    found = _printed("*privilege.context.conf.capabilities")
    assert set(map(int, found.split())) == {capabilities.CAP_NET_ADMIN, capabilities.CAP_SYS_ADMIN}


def test_it_obeys_four_functions():
    names = [name for name in dir(links) if privilege.context.is_entrypoint(getattr(links, name))]
    assert names == ["connect", "make", "ready", "remove"]
    assert isinstance(privilege.context, priv_context.PrivContext)


def test_its_threads_are_the_kernels():
    """Green ones would share one namespace, which setns(2) would change for all."""
    loaded = "'nova' in sys.modules"
    green = "'eventlet' in sys.modules and sys.modules['eventlet'].patcher.is_monkey_patched('os')"
    assert _printed(f"{loaded}, bool({green})") == "False False"


def _printed(expression):
    """What an expression is in a process that has loaded what the privileged one loads."""
    program = f"import sys; from novadocker.network import links, privilege; print({expression})"
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
