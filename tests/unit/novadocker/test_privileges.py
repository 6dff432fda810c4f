# SPDX-License-Identifier: Apache-2.0
"""What containers may do on their host."""

import pytest
from oslo_config import cfg

from novadocker import errors, privileges


def test_no_container_is_privileged_or_unconfined(config):
    options = privileges.options(read_only=False)
    assert "privileged" not in options
    assert options["security_opt"] == ["no-new-privileges"]


def test_a_container_has_the_capabilities_of_the_option_alone(config):
    config(capabilities=["CHOWN", "NET_RAW"], group="docker")
    options = privileges.options(read_only=False)
    assert (options["cap_drop"], options["cap_add"]) == (["ALL"], ["CHOWN", "NET_RAW"])


@pytest.mark.parametrize("name", ["NET_RAW", "MKNOD", "SYS_ADMIN", "ALL"])
def test_a_dangerous_capability_is_none_by_default(config, name):
    assert name not in privileges.options(read_only=False)["cap_add"]


def test_a_service_with_such_an_option_does_not_start(config, tmp_path):
    (tmp_path / "nova.conf").write_text("[docker]\ncapabilities = CHOWN, SYS_ADMIN\n")
    privileges.CONF(["--config-file", f"{tmp_path}/nova.conf"], project="nova")
    with pytest.raises(cfg.ConfigFileValueError, match="SYS_ADMIN"):
        privileges.report()


@pytest.mark.parametrize("name", ["ALL", "SYS_ADMIN", "SYS_MODULE", "MKNOD", "CAP_CHOWN"])
def test_a_capability_that_leads_out_of_a_container_is_not_an_option(config, name):
    with pytest.raises(ValueError, match=name):
        config(capabilities=[name], group="docker")


def test_a_read_only_root_comes_with_places_to_write(config):
    options = privileges.options(read_only=True)
    assert options["read_only"] is True
    assert set(options["tmpfs"]) == {"/run", "/tmp"}
    assert privileges.options(read_only=False)["tmpfs"] is None


@pytest.mark.parametrize(
    "option",
    [
        "name=seccomp,profile=default",  # Docker 20.10
        "name=seccomp,profile=builtin",  # from 22 on
        "name=seccomp,profile=/etc/docker/seccomp.json",
    ],
)
def test_an_engine_that_filters_system_calls_is_taken(option):
    privileges.check_engine({"SecurityOptions": ["name=apparmor", option]})


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"SecurityOptions": None},
        {"SecurityOptions": ["name=apparmor"]},
        {"SecurityOptions": ["name=seccomp,profile=unconfined"]},
    ],
)
def test_an_engine_that_filters_none_is_refused(info):
    with pytest.raises(errors.EngineRefused, match="filters no system calls"):
        privileges.check_engine(info)
