# SPDX-License-Identifier: Apache-2.0
"""The privileges that the container's end of a network needs.

nova-compute is an ordinary user. oslo.privsep starts a process of root's for it, which keeps two
capabilities and obeys the functions of `novadocker.network.links` alone. That process is no part
of nova-compute: its threads are the kernel's, whatever eventlet did to nova-compute's.
"""

from oslo_privsep import capabilities, priv_context

context = priv_context.PrivContext(
    "novadocker.network",
    cfg_section="novadocker_privileged",
    pypath=f"{__name__}.context",
    capabilities=[
        capabilities.CAP_NET_ADMIN,
        capabilities.CAP_SYS_ADMIN,  # setns(2)
    ],
)
