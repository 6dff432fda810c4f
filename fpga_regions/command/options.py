# SPDX-License-Identifier: Apache-2.0
"""Reads the options of fpga-cli from /etc/fpga-nova/fpga-cli.conf."""

import os
import typing

from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.command.client import DEFAULT_FILE
from fpga_regions.command.emulator_options import EMULATOR
from fpga_regions.command.main_options import MAIN, PACKAGES


def load(config_file: str | None, if_readable: bool = False) -> cfg.ConfigOpts:
    """Read the configuration.

    :param config_file: path of a file that must exist; None for the default one, which need not
    :param if_readable: do without the default one where it is not for the caller to read
    :raises errors.NotAccessible: the file cannot be read or has a value that cannot be used
    """
    conf = cfg.ConfigOpts()
    conf.register_opts(MAIN)
    conf.register_opts(PACKAGES, "packages")
    conf.register_opts(EMULATOR, "emulator")
    arguments = ["--config-file", config_file] if config_file else []
    try:
        # Values from the environment are left out: it is the caller's, who may not be root.
        conf(
            args=arguments,
            project="fpga-nova",
            prog="fpga-cli",
            default_config_files=_default_files(if_readable),
            default_config_dirs=[],
            use_env=False,
        )
        _check(conf)
    except cfg.Error as e:
        raise errors.NotAccessible(f"the configuration cannot be used: {e}") from e
    return conf


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """All options by group, for oslo.config's sample generator."""
    from fpga_regions.drivers import command, fake, linux, opae, opencl, openfpgaloader, xrt
    from fpga_regions.image import glance

    return [
        (None, MAIN),
        ("packages", PACKAGES),
        ("emulator", EMULATOR),
        (fake.GROUP, fake.OPTIONS),
        (opencl.GROUP, opencl.OPTIONS),
        *(
            entry
            for driver in (command, linux, opae, openfpgaloader, xrt)
            for entry in (
                (driver.GROUP, driver.OPTIONS),
                (f"{driver.GROUP}:CARD", driver.CARD_OPTIONS),
            )
        ),
        (glance.GROUP, glance.list_options()),
    ]


def _default_files(if_readable: bool) -> list[str]:
    # oslo.config takes a default file that is not there for an error, too.
    mode = os.R_OK if if_readable else os.F_OK
    return [DEFAULT_FILE] if os.access(DEFAULT_FILE, mode) else []


def _check(conf: cfg.ConfigOpts) -> None:
    """Read every value once, so that a wrong one is reported at once and by name."""
    groups: list[tuple[typing.Any, list[cfg.Opt]]] = [
        (conf, MAIN),
        (conf.packages, PACKAGES),
        (conf.emulator, EMULATOR),
    ]
    for group, options in groups:
        for option in options:
            getattr(group, option.dest)
