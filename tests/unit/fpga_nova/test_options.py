# SPDX-License-Identifier: Apache-2.0
"""The options and the names that the founding document gave them."""

from pathlib import Path

from oslo_config import cfg

from fpga_nova import options


def _load(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    file = tmp_path / "nova.conf"
    file.write_text(text)
    loaded = cfg.ConfigOpts()
    options.register_opts(loaded)
    loaded(["--config-file", str(file)], project="nova")
    return loaded


def test_nothing_is_accessed_and_nothing_simulated_unless_asked_for(tmp_path: Path) -> None:
    loaded = _load(tmp_path, "[DEFAULT]\n")
    assert (loaded.fpga.access, loaded.fpga.simulation_mode) == (False, False)


def test_the_names_of_the_founding_document_keep_working(tmp_path: Path) -> None:
    loaded = _load(
        tmp_path,
        "[DEFAULT]\nfpga_access = True\nfpga_simulation_mode = True\nfpga_exec = my-cli\n",
    )
    assert (loaded.fpga.access, loaded.fpga.simulation_mode, loaded.fpga.exec) == (
        True,
        True,
        "my-cli",
    )
