# SPDX-License-Identifier: Apache-2.0
"""Networks of containers: the host's end by os-vif, the container's end by netlink."""
