# SPDX-License-Identifier: Apache-2.0
"""Which of Nova's words for the states of servers and migrations mean what for their regions.

The words are Nova's (nova.compute.vm_states, nova.objects.migration); `fpga-manage check` needs
them where Nova cannot be imported.
"""

#: A server in one of these has, or can get, a running guest on the host that it is on.
LIVING = frozenset({"active", "stopped", "paused", "suspended", "rescued", "soft-delete"})

#: A migration in one of these asks nothing more of either host.
OVER = frozenset({"confirmed", "reverted", "failed", "completed", "cancelled", "done", "error"})
