# SPDX-License-Identifier: Apache-2.0
"""Keystone's token is used again for as long as it is good, and nobody else gets it."""

import datetime
import stat
import subprocess
import typing
from pathlib import Path

import pytest
from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.command import options
from fpga_regions.image import cache, glance
from tests.support import bitstreams
from tests.support.host import Host
from tests.support.openstack import TOKEN, OpenStack

DATA = b"a package " * 1000


class Rig:
    """What one host keeps of one cloud."""

    def __init__(self, folder: Path, cloud: OpenStack) -> None:
        self.folder, self.cloud = folder, cloud
        self.file = folder / "run" / "tokens" / "glance"
        self.image = cloud.add(DATA)

    def fetch(self, **changes: str) -> bytes:
        """What a command of its own fetches."""
        store = cache.Cache(self.folder / "cache", 1 << 20)
        with glance.fetch(self._conf(changes), self.image, store, 1 << 20).file as file:
            return file.read()

    def _conf(self, changes: dict[str, str]) -> cfg.ConfigOpts:
        file = self.folder / "fpga-cli.conf"
        head = f"[DEFAULT]\nruntime_dir = {self.folder}/run\n"
        file.write_text(head + self.cloud.options(**changes))
        return options.load(str(file))


@pytest.fixture
def rig(tmp_path: Path, cloud: OpenStack) -> Rig:
    return Rig(tmp_path, cloud)


def test_commands_ask_for_one_token(rig: Rig) -> None:
    assert [rig.fetch() for _ in range(3)] == [DATA] * 3
    assert rig.cloud.logins == 1


def test_token_that_glance_refuses_is_replaced(rig: Rig) -> None:
    rig.fetch()
    rig.cloud.token = "another"
    assert [rig.fetch() for _ in range(2)] == [DATA] * 2
    assert (rig.cloud.logins, TOKEN in rig.file.read_text()) == (2, False)


@pytest.mark.parametrize(("seconds", "once"), [(60, False), (3600, True)])
def test_token_is_replaced_before_it_expires(rig: Rig, seconds: int, once: bool) -> None:
    expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    rig.cloud.expiry = f"{expiry:%Y-%m-%dT%H:%M:%S}.000000Z"
    assert [rig.fetch() for _ in range(2)] == [DATA] * 2
    assert (rig.cloud.logins == 1) == once


@pytest.mark.parametrize("option", ["password", "username"])
def test_token_is_not_used_with_other_credentials(rig: Rig, option: str) -> None:
    rig.fetch()
    with pytest.raises(errors.ImageServiceUnavailable, match="refused the credentials"):
        rig.fetch(**{option: "another"})


@pytest.mark.parametrize("option", ["project_name", "project_domain_name", "user_domain_name"])
def test_token_is_not_used_for_another_scope(rig: Rig, option: str) -> None:
    rig.fetch()
    assert rig.fetch(**{option: "another"}) == DATA
    assert rig.cloud.logins == 2


def test_address_of_glance_is_learned_anew(rig: Rig) -> None:
    rig.fetch()
    content = rig.file.read_text()
    with OpenStack() as former:
        address = former.url
    rig.file.write_text(content.replace(rig.cloud.url, address))
    assert address in rig.file.read_text()
    assert [rig.fetch() for _ in range(2)] == [DATA] * 2
    assert (rig.cloud.logins, rig.file.read_text()) == (2, content)


def test_image_that_is_not_there_is_asked_for_with_a_new_token(rig: Rig) -> None:
    rig.fetch()
    del rig.cloud.images[rig.image]
    with pytest.raises(errors.ImageUnavailable, match="no such image"):
        rig.fetch()
    assert (rig.cloud.logins, rig.file.exists()) == (2, False)


def _leave(_file: Path) -> None:
    pass


def _open_to_the_group(file: Path) -> None:
    file.chmod(0o640)


def _link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("harm", "logins"),
    [
        (_leave, 1),
        (_open_to_the_group, 2),
        (_link, 2),
        (lambda file: file.write_text("{"), 2),
        (lambda file: file.write_text('["identity"]'), 2),
        (lambda file: file.write_text(file.read_text().replace("auth_token", "other")), 2),
    ],
    ids=["none", "mode", "link", "cut", "list", "state"],
)
def test_file_that_is_not_what_was_kept_is_not_used(
    rig: Rig, harm: typing.Callable[[Path], object], logins: int
) -> None:
    rig.fetch()
    harm(rig.file)
    assert (rig.fetch(), rig.cloud.logins) == (DATA, logins)
    assert rig.fetch() == DATA
    assert rig.cloud.logins == logins


def test_folder_that_cannot_be_used_costs_time_only(rig: Rig) -> None:
    rig.file.parent.parent.mkdir()
    rig.file.parent.write_text("in the way")
    assert [rig.fetch() for _ in range(2)] == [DATA] * 2
    assert rig.cloud.logins == 2


def test_token_is_in_a_file_of_its_owner_alone_and_nowhere_else(
    host: Host, cloud: OpenStack
) -> None:
    image = cloud.add(bitstreams.package())
    command = [*host.command(), "--debug", "burn", image]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    host.run("events")
    holders = [
        path
        for path in host.folder.rglob("*")
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    file = host.runtime / "tokens" / "glance"
    assert holders == [file]
    assert [stat.S_IMODE(one.stat().st_mode) for one in (file, file.parent)] == [0o600, 0o700]
    assert TOKEN not in ran.stdout + ran.stderr
