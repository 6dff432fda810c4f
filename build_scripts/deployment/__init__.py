# SPDX-License-Identifier: Apache-2.0
"""Clouds of many hosts: one file describes a cloud, Ansible makes it so.

The module `cloud` beside this package is for the demo and its tests; nothing here imports it.
"""
