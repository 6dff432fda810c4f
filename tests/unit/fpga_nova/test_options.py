# SPDX-License-Identifier: Apache-2.0
"""The options and the names that the founding document gave them."""

from pathlib import Path

from oslo_config import cfg

from fpga_nova import options


def _load(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    file = tmp_path / "nova.conf"
    file.write_text(text)
    conf = cfg.ConfigOpts()
    options.register_opts(conf)
    conf(["--config-file", str(file)], project="nova")
    return conf


def test_nothing_is_accessed_and_nothing_simulated_unless_asked_for(tmp_path: Path) -> None:
    conf = _load(tmp_path, "[DEFAULT]\n")
    assert (conf.fpga.access, conf.fpga.simulation_mode) == (False, False)


def test_the_names_of_the_founding_document_keep_working(tmp_path: Path) -> None:
    conf = _load(
        tmp_path,
        "[DEFAULT]\nfpga_access = True\nfpga_simulation_mode = True\nfpga_exec = my-cli\n",
    )
    assert (conf.fpga.access, conf.fpga.simulation_mode, conf.fpga.exec) == (
        True,
        True,
        "my-cli",
    )
