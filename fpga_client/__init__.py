# SPDX-License-Identifier: Apache-2.0
"""`openstack fpga`: a plugin of OpenStackClient over a proxy of openstacksdk.

It imports no other package of this project, so that it installs beside any client.
"""
