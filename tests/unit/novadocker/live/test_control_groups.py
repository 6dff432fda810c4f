# SPDX-License-Identifier: Apache-2.0
"""The control groups that runc and CRIU take for those of a container that is restored."""

import json
import os
import pathlib

import pytest

from novadocker.live import control_groups
from novadocker.live.errors import LiveError

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


class Host:
    """A host with files in the place of the kernel's, and the bundle of a container."""

    def __init__(self, folder: pathlib.Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        for name, text in (("_MOUNTS", _MOUNTS), ("_OWN", _OWN)):
            (folder / name).write_text(text)
            patch.setattr(control_groups, name, folder / name)
        patch.setattr(control_groups, "_UNIFIED", folder / "groups" / "cgroup.controllers")
        patch.setattr(control_groups, "_PROC", folder)

    def unify(self) -> None:
        """Have cgroup v2."""
        (self.folder / "groups").mkdir()
        (self.folder / "groups" / "cgroup.controllers").touch()

    def restore(self, groups: str = "/docker/one") -> control_groups.Restore:
        """What a restore needs."""
        return control_groups.restore(groups, self.folder)

    def lines(self, groups: str = "/docker/one") -> list[str]:
        """What runc sees in the place of its own groups."""
        return pathlib.Path(self.restore(groups).before[-1]).read_text().splitlines()

    def restored(self, group: str, own: str) -> pathlib.Path:
        """A container of this process, which runc takes to be in one group, and is in another."""
        (self.folder / str(os.getpid())).mkdir()
        (self.folder / str(os.getpid()) / "cgroup").write_text(f"1:cpu:/\n0::{own}\n")
        paths = {"": f"{self.folder}/groups{group}"}
        state = {"init_process_pid": os.getpid(), "cgroup_paths": paths}
        (self.folder / "state.json").write_text(json.dumps(state))
        return self.folder / "state.json"


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with cgroup v1."""
    return Host(tmp_path, monkeypatch)


def test_runc_sees_those_of_the_container_wherever_it_makes_some(host: Host) -> None:
    assert host.lines() == [
        "5:strange:/",
        "4:cpu,cpuacct:/outer/docker/one",
        "3:memory:/docker/one",
        "1:name=systemd:/docker/one",
        "0::/engine",
    ]
    assert host.restore().configuration == ""


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("system.slice:docker:one", "/system.slice/docker-one.scope"),
        (":docker:one", "/system.slice/docker-one.scope"),
        ("a-b.slice:docker:one", "/a.slice/a-b.slice/docker-one.scope"),
    ],
)
def test_systemd_has_names_of_its_own(host: Host, words: str, path: str) -> None:
    assert f"3:memory:{path}" in host.lines(words)


def test_criu_is_told_the_group_with_cgroup_v2(host: Host) -> None:
    host.unify()
    assert host.restore() == ([], "cgroup-root :/docker/one\n")


@pytest.mark.parametrize("groups", ["docker", "a:b", ""])
def test_groups_that_are_not_named_are_refused(host: Host, groups: str) -> None:
    with pytest.raises(LiveError, match="names no control groups"):
        host.restore(groups)


def test_container_in_its_own_group_is_good(host: Host) -> None:
    host.unify()
    control_groups.check(host.restored("/docker/one", "/docker/one"))


def test_container_in_the_group_of_another_one_is_refused(host: Host) -> None:
    host.unify()
    with pytest.raises(LiveError, match="it is in the control group /docker/source, not in"):
        control_groups.check(host.restored("/docker/one", "/docker/source"))


def test_container_of_which_nothing_is_known_is_refused(host: Host) -> None:
    host.unify()
    with pytest.raises(LiveError, match="it is not known"):
        control_groups.check(host.folder / "nothing")


def test_nothing_is_checked_with_cgroup_v1(host: Host) -> None:
    control_groups.check(host.folder / "nothing")
