# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga``: the commands of the plugin of python-openstackclient."""
