# SPDX-License-Identifier: Apache-2.0
"""The control groups that runc takes for its own when it restores a container."""

import json
import pathlib
import typing

import pytest

from novadocker.live import control_groups
from novadocker.live.errors import LiveError
from tests.unit.novadocker.live.conftest import Host

_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 /outer /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
42 31 0:39 / /sys/fs/cgroup/strange rw,relatime - cgroup cgroup rw,strange
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
_OWN = """\
5:strange:/
4:cpu,cpuacct:/outer/engine
3:memory:/engine
1:name=systemd:/engine:odd
0::/engine
"""


def _named(folder: pathlib.Path, path: str | None) -> pathlib.Path:
    (folder / "config.json").write_text(json.dumps({"linux": {"cgroupsPath": path}}))
    return folder


@pytest.fixture
def old(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[pathlib.Path]:
    """A host with cgroup v1; gives a folder."""
    for name, text in (("_MOUNTS", _MOUNTS), ("_OWN", _OWN)):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(control_groups, name, tmp_path / name)
    yield tmp_path


def test_runc_sees_those_of_the_container_wherever_it_makes_some(old: pathlib.Path) -> None:
    *_words, file = control_groups.before(_named(old, "/docker/one"), old)
    assert pathlib.Path(file).read_text().splitlines() == [
        "5:strange:/",
        "4:cpu,cpuacct:/outer/docker/one",
        "3:memory:/docker/one",
        "1:name=systemd:/docker/one",
        "0::/engine",
    ]


@pytest.mark.parametrize("path", ["system.slice:docker:one", "", None])
def test_groups_without_a_path_are_refused(old: pathlib.Path, path: str | None) -> None:
    with pytest.raises(LiveError, match="cgroup driver cgroupfs"):
        control_groups.before(_named(old, path), old)


def test_a_host_with_cgroup_v2_needs_none(host: Host) -> None:
    assert control_groups.before(host.bundle, host.bundle) == []


def test_a_bundle_that_cannot_be_read_is_refused(old: pathlib.Path) -> None:
    with pytest.raises(LiveError, match="cannot be read"):
        control_groups.before(old, old)
