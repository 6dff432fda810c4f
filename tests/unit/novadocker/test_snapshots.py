# SPDX-License-Identifier: Apache-2.0
"""What of a container does not come into its image, and what of its properties does."""

import shlex
import types

from novadocker import snapshot_images, snapshots


def _instance(line):
    return types.SimpleNamespace(system_metadata={"image_os_command_line": line} if line else {})


def test_places_of_mounts_and_of_the_init_are_left_out():
    mounts = [{"Destination": "/run/openstack"}, {"Destination": "/dev/fpga0"}]
    assert snapshots._omitted({"Mounts": mounts}) == (
        "/sbin/docker-init",
        "/run/openstack",
        "/dev/fpga0",
    )
    assert snapshots._omitted({}) == ("/sbin/docker-init",)


def test_a_command_that_nova_kept_whole_is_left_to_nova():
    for line in (None, "sleep 1", "x" * 251):
        assert snapshot_images._properties(_instance(line), ["other"]) == {}


def test_a_command_that_nova_may_have_cut_is_that_of_the_container():
    words = ["sh", "-c", f"echo '{'x' * 300}'; \"$HOME\" 'é'"]
    line = shlex.join(words)
    found = snapshot_images._properties(_instance(line[:255]), words)
    assert shlex.split(found["os_command_line"]) == words
