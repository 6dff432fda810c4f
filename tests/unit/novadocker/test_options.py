# SPDX-License-Identifier: Apache-2.0
"""The options of [docker]."""

from oslo_config import cfg

from novadocker import options


def test_options_are_registered_once_and_again():
    registered = cfg.ConfigOpts()
    options.register_opts(registered)
    options.register_opts(registered)
    registered([], default_config_files=[])
    assert registered.docker.host_url == "unix:///var/run/docker.sock"


def test_every_option_is_listed_with_a_sentence_of_help():
    ((group, entries),) = options.list_opts()
    assert group.name == "docker"
    assert all(option.help.strip().endswith(".") for option in entries)
