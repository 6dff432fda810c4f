# SPDX-License-Identifier: Apache-2.0
"""Who may change what root runs, signs with and restores."""

import dataclasses
import os
import pathlib

import pytest

from novadocker.live import errors, places, settings
from tests.unit.novadocker.live.conftest import Host

_USER, _GROUP = 65534, 1234


@pytest.fixture
def found(host: Host, tmp_path: pathlib.Path) -> settings.Settings:
    """Settings of a host, with a program in a folder of its own."""
    program = tmp_path / "bin" / "criu"
    program.parent.mkdir()
    program.touch(0o755)
    places.prepare(host.settings)
    return dataclasses.replace(host.settings, criu=program)


def test_what_is_roots_is_good(found: settings.Settings) -> None:
    settings.check_owners(found, _GROUP)


@pytest.mark.parametrize("name", ["criu", "runc", "state", "signing_key", "trusted_keys"])
@pytest.mark.parametrize("level", [0, 1])
def test_what_another_user_owns_is_refused(found: settings.Settings, name: str, level: int) -> None:
    path: pathlib.Path = getattr(found, name)
    path = [path, path.parent][level]
    os.chown(path, _USER, _USER)
    with pytest.raises(errors.LiveError, match=f"{path} can be changed by others than root"):
        settings.check_owners(found, _GROUP)


def test_what_all_users_may_write_is_refused(found: settings.Settings) -> None:
    found.criu.parent.chmod(0o777)
    with pytest.raises(errors.LiveError, match="can be changed by others than root"):
        settings.check_owners(found, _GROUP)


def test_what_the_group_of_nova_compute_may_write_is_refused(found: settings.Settings) -> None:
    os.chown(found.criu.parent, 0, _GROUP)
    found.criu.parent.chmod(0o775)
    settings.check_owners(found, _GROUP + 1)
    with pytest.raises(errors.LiveError, match="can be changed by others than root"):
        settings.check_owners(found, _GROUP)


def test_a_link_is_where_it_is_and_where_it_leads(
    found: settings.Settings, tmp_path: pathlib.Path
) -> None:
    link = tmp_path / "links" / "criu"
    link.parent.mkdir()
    link.symlink_to(found.criu)
    settings.check_owners(dataclasses.replace(found, criu=link), _GROUP)
    for folder in (link.parent, found.criu.parent):
        folder.chmod(0o777)
        with pytest.raises(errors.LiveError, match=f"{folder} can be changed by others"):
            settings.check_owners(dataclasses.replace(found, criu=link), _GROUP)
        folder.chmod(0o755)


def test_a_runc_that_is_missing_is_named(found: settings.Settings) -> None:
    found.runc.unlink()
    with pytest.raises(errors.LiveError, match=f"there is no program {found.runc}"):
        settings.check_owners(found, _GROUP)


@pytest.mark.parametrize("name", ["state", "spool", "work"])
@pytest.mark.parametrize("link", [False, True])
def test_a_folder_of_somebody_elses_is_not_roots_state(
    found: settings.Settings, tmp_path: pathlib.Path, name: str, link: bool
) -> None:
    path: pathlib.Path = getattr(found, name)
    if link:
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.chown(path, _USER, _USER)
    with pytest.raises(errors.LiveError, match="is not a folder of root's"):
        places.prepare(found)
