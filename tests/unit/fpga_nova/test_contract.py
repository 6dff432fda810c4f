# SPDX-License-Identifier: Apache-2.0
"""One contract: what is written down elsewhere agrees with it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from fpga_nova import contract

ROOT = Path(__file__).parents[3]


def _subclasses(kind: type) -> list[type]:
    return [one for below in kind.__subclasses__() for one in (below, *_subclasses(below))]


def test_page_lists_exactly_the_exit_statuses() -> None:
    page = (ROOT / "docs/fpga-cli.md").read_text()
    table = page.partition("| exit | meaning |")[2].partition("\n\n")[0]
    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)]
    assert listed == list(contract.Exit)


def test_man_page_lists_exactly_the_exit_statuses() -> None:
    page = (ROOT / "docs/man/fpga-cli.8").read_text()
    section = page.partition(".SH EXIT STATUS")[2].partition(".SH ")[0]
    entries = re.findall(r"^\.B (\d+)\n(.*)$", section, re.M)
    rows = [(int(code), text.replace(r"\-", "-")) for code, text in entries]
    assert rows == [(code, code.meaning) for code in contract.Exit]


def test_each_failure_of_fpga_cli_has_a_status_of_the_contract() -> None:
    from fpga_regions import errors

    codes = {failure.code for failure in _subclasses(errors.RegionError)}
    beside = {contract.Exit.DONE, contract.Exit.DEFECT, contract.Exit.WRONG_COMMAND_LINE}
    assert codes == set(contract.Exit) - beside


def test_rootwrap_permits_exactly_the_numbers() -> None:
    filters = (ROOT / "etc/rootwrap.d/fpga.filters").read_text()
    numbers = contract.REGION_NUMBERS
    permitted = {expression.rstrip(",") for expression in re.findall(r"--number, (\S+)", filters)}
    assert permitted == {f"[{numbers[0]}-{numbers[-1]}]"}


def test_ledger_holds_exactly_the_numbers() -> None:
    from fpga_regions.ledger import versions

    text = Path(versions.__file__).read_text()
    ranges = {tuple(map(int, found)) for found in re.findall(r"BETWEEN (\d+) AND (\d+)", text)}
    assert ranges == {(contract.REGION_NUMBERS[0], contract.REGION_NUMBERS[-1])}


def test_flavors_name_exactly_the_numbers() -> None:
    from fpga_nova import request

    assert list(request.NUMBERS.values()) == list(contract.REGION_NUMBERS)


def test_manifest_takes_exactly_the_kinds_of_nodes() -> None:
    schema = (ROOT / "fpga_regions/package/manifest.schema.json").read_text()
    kinds_of_nodes: list[list[str]] = []
    json.loads(schema, object_hook=lambda node: kinds_of_nodes.append(node.get("kind", {})) or node)
    kinds = [kind["enum"] for kind in kinds_of_nodes if isinstance(kind, dict) and "enum" in kind]
    assert kinds == [list(contract.NODE_KINDS)]


def test_import_needs_the_standard_library_alone() -> None:
    script = """
import sys
before = set(sys.modules)
import fpga_nova.contract
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""
    output = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert set(output.split()) <= {"fpga_nova", *sys.stdlib_module_names}
