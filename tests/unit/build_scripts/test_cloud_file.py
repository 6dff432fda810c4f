# SPDX-License-Identifier: Apache-2.0
"""A file describes a cloud, or every fault in it has its line and column."""

import importlib.metadata
import re
import tomllib
import typing

import hypothesis
import pytest
import yaml
from deployment import catalogue, loader, model, problems
from deployment.catalogue import ROOT
from hypothesis import strategies as st

KNOWN = catalogue.read()

GOOD = """\
name: lab
distribution: debian-12
release: 2026.2
nodes:
  - name: controller
    address: 10.0.0.1
    roles: [controller]
  - name: compute1
    address: 10.0.0.2
    roles: [compute]
    fpga:
      drivers: [emulator, opae]
      regions: 4
      options:
        opae: {cards: pac0}
        opae:pac0: {board: n3000, timeout: 20}
"""


def faults(text: str | bytes) -> list[str]:
    """What is wrong with a file, as LINE:COLUMN: MESSAGE."""
    content = text if isinstance(text, bytes) else text.encode()
    try:
        loader.parse(content, KNOWN)
    except problems.InvalidFileError as e:
        return [line.removeprefix("cloud.yaml:") for line in str(e).splitlines()]
    return []


def changed(before: str, after: str) -> list[str]:
    """What is wrong with the good file after one change."""
    assert before in GOOD
    return faults(GOOD.replace(before, after, 1))


def test_tunnels_are_in_one_network() -> None:
    tunnel = "roles: [{}]\n    tunnel: {{interface: eth1, address: {}}}"
    one = tunnel.format("controller, compute", "10.1.0.1/24")
    other = tunnel.format("compute", "10.2.0.2/24")
    text = GOOD.replace("roles: [controller]", one).replace("roles: [compute]", other)
    assert faults(text) == ["12:40: address 10.2.0.2/24 is not in 10.1.0.0/24, as that of line 8"]
    assert faults(text.replace("10.2.0.2", "10.1.0.2")) == []


def packaged(distribution: str, release: str) -> str:
    """The good file with the packages of a distribution."""
    text = GOOD.replace("debian-12", distribution).replace("2026.2", release)
    return text.replace("nodes:", "configuration:\n  install: packages\nnodes:")


def test_good_file_describes_a_cloud() -> None:
    cloud = loader.parse(GOOD.encode(), KNOWN)
    assert (cloud.name, cloud.base_user, cloud.series) == ("lab", "root", 34)
    assert cloud.install == "venv"
    controller, compute = cloud.nodes
    assert cloud.controller is controller
    assert controller.groups == {"controller", "database", "messaging"}
    assert controller.modules == set(model.MODULES)
    assert (compute.groups, compute.modules) == ({"compute"}, frozenset())
    options = {"opae": {"cards": "pac0"}, "opae:pac0": {"board": "n3000", "timeout": "20"}}
    assert compute.fpga == model.Fpga(("emulator", "opae"), 4, options)


def test_example_describes_a_cloud() -> None:
    cloud = loader.parse(loader.content(ROOT / "build_scripts/cloud.yaml"), KNOWN)
    assert [node.name for node in cloud.nodes] == ["controller", "compute1", "compute2"]
    assert [node.fpga is not None for node in cloud.nodes] == [False, True, False]


@pytest.mark.parametrize("release", ["2026.2", '"2026.2"', "34"])
def test_release_is_openstacks_or_novas(release: str) -> None:
    assert changed("2026.2", release) == []


@pytest.mark.parametrize(
    ("distribution", "release", "series"),
    [("debian-12", "2022.2", 26), ("debian-12", "26", 26), ("debian-13", "2025.1", 31)],
)
def test_packages_have_the_release_of_their_distribution(
    distribution: str, release: str, series: int
) -> None:
    cloud = loader.parse(packaged(distribution, release).encode(), KNOWN)
    assert (cloud.install, cloud.series) == ("packages", series)


@pytest.mark.parametrize(
    ("distribution", "release", "expected"),
    [
        (
            "debian-12",
            "2026.2",
            "3:10: release 2026.2 is not in the packages of debian-12; they have 2022.2 (Nova 26)",
        ),
        (
            "debian-13",
            "2022.2",
            "3:10: release 2022.2 is not in the packages of debian-13; they have 2025.1 (Nova 31)",
        ),
        ("debian-12", "2027.1", "3:10: unknown release '2027.1'; known: "),
    ],
)
def test_other_release_than_that_of_the_packages_has_its_place(
    distribution: str, release: str, expected: str
) -> None:
    (found,) = faults(packaged(distribution, release))
    assert found.startswith(expected)


def test_unknown_distribution_of_packages_is_the_only_fault() -> None:
    (found,) = faults(packaged("debian-11", "2022.2"))
    assert found.startswith("2:15: distribution: unknown value 'debian-11'")


def test_postgresql_is_for_the_lock_file_on_debian_12() -> None:
    text = packaged("debian-12", "2022.2").replace("packages", "packages\n  database: postgresql")
    assert faults(text) == ["6:13: postgresql needs install: venv"]
    assert faults(text.replace("packages", "venv").replace("2022.2", "2026.2")) == []
    text = text.replace("debian-12", "debian-13").replace("2022.2", "2025.1")
    assert len(faults(text)) == 2


def test_unknown_method_of_installation_has_its_place() -> None:
    text = packaged("debian-12", "2026.2").replace("packages", "snap")
    assert faults(text) == ["5:12: install: unknown value 'snap'; known: venv, packages"]


def test_module_is_on_the_node_that_names_it_alone() -> None:
    text = GOOD.replace("roles: [compute]", "roles: [compute]\n    modules: [database]")
    controller, compute = loader.parse(text.encode(), KNOWN).nodes
    assert controller.groups == {"controller", "messaging"}
    assert compute.groups == {"compute", "database"}


#: Stands for the tunnel of the compute host in the good file, which has none.
TUNNEL = "roles: [compute]"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("name: lab", "name: Lab", "1:7: name: 'Lab' is not a name of small letters"),
        (
            "distribution",
            "distributon",
            "2:1: unknown key 'distributon'; did you mean distribution",
        ),
        ("debian-12", "ubuntu-24.04", "2:15: distribution: unknown value 'ubuntu-24.04'; known: "),
        ("2026.2", "2026.1", "3:10: release 2026.1 has a diff, but no lock file of a whole cloud"),
        ("2026.2", "2027.1", "3:10: unknown release '2027.1'; known: 2022.2 (Nova 26), 2024.1"),
        ("2026.2", "true", "3:10: release: expected text or a whole number, not True"),
        ("10.0.0.2", "10.0.0.1", "9:14: address '10.0.0.1' is there twice, first in line 6"),
        ("10.0.0.2", "10.0.0.256", "9:14: address '10.0.0.256' is not an IPv4 address"),
        ("10.0.0.2", "fd00::1", "9:14: address 'fd00::1' is not an IPv4 address"),
        ("10.0.0.2", "0.0.0.0", "9:14: address 0.0.0.0 is not of one host"),
        ("10.0.0.2", "127.0.0.2", "9:14: address 127.0.0.2 is not reached by the other nodes"),
        ("compute1", "controller", "8:11: name 'controller' is there twice, first in line 5"),
        ("compute1", "localhost", "8:11: localhost names every host"),
        ("[controller]", "[compute]", "4:1: no node has the role controller"),
        ("[compute]", "[controller, compute]", "10:12: a second controller; the first is in line"),
        (
            "[compute]",
            "[compte]",
            "10:13: roles: unknown value 'compte'; known: controller, compute",
        ),
        ("[compute]", "[]", "10:12: roles: at least 1 has to be in the list"),
        ("[emulator, opae]", "[]", "13:7: regions without a driver; name it in drivers"),
        ("drivers: [emulator, opae]", "# none", "13:7: regions without a driver"),
        ("[emulator, opae]", "[opae]", "13:7: regions without the driver emulator"),
        ("[emulator, opae]", "[emulator]", "15:9: options of 'opae', which is not a driver"),
        ("regions: 4", "regions: 0", "13:16: regions: 0 is not from 1 to 256"),
        ("{cards: pac0}", '{cards: "a\\nb"}', "15:23: cards: 'a\\nb' is not one line of ASCII"),
        ("{cards: pac0}", "{Cards: pac0}", "15:16: 'Cards' is not the name of an option"),
        ("roles: [compute]", "roles: [compute]\n    modules: [content]", "11:15: module content"),
        (TUNNEL, f"{TUNNEL}\n    tunnel: {{interface: eth1}}", "11:13: the key address is missing"),
        (
            TUNNEL,
            f"{TUNNEL}\n    tunnel: {{interface: a b, address: 10.1.0.2/24}}",
            "11:25: interface: 'a b' is not the",
        ),
        (
            TUNNEL,
            f"{TUNNEL}\n    tunnel: {{interface: eth1, address: 10.1.0.2}}",
            "11:40: address '10.1.0.2' is not one",
        ),
        (
            TUNNEL,
            f"{TUNNEL}\n    tunnel: {{interface: eth1, address: 10.1.0.0/24}}",
            "11:40: address '10.1.0.0/24' is",
        ),
        (
            TUNNEL,
            f"{TUNNEL}\n    tunnel: {{interface: eth1, address: 10.0.0.1/24}}",
            "11:40: address 10.0.0.1 is there",
        ),
        (
            TUNNEL,
            f"{TUNNEL}\n    tunnel: {{interface: e1, address: 10.1.0.2/24}}\n    external: e1",
            "12:15: external is",
        ),
        ("roles: [controller]", "roles: [controller]\n    external: e1", "8:5: external needs the"),
        ("nodes:", "configuration: {install: packages, networks: ovn}\nnodes:", "4:46: networks:"),
        ("nodes:", "configuration: {live_images: yes}\nnodes:", "4:30: live_images: expected true"),
        (
            "nodes:\n",
            "configuration: {networks: none}\nnodes:\n  - {name: c, address: 10.0.0.3, "
            "roles: [compute], external: e1}\n",
            "6:52: external needs networks: ovn",
        ),
    ],
)
def test_fault_has_its_place(before: str, after: str, expected: str) -> None:
    found = changed(before, after)
    assert [fault for fault in found if fault.startswith(expected)], found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("nodes:", "nodes: ["), "5:3: YAML: "),
        ("a: 1\nb: *x\n", "2:4: YAML: aliases are not supported"),
        ("a: 1\na: 2\n", "2:1: the key 'a' is there twice, first in line 1"),
        ("1: x\n", "1:1: a key has to be text"),
        ("name: !!python/object:os.system ls\n", "1:7: the tag "),
        ("name: !!int x\n", "1:7: 'x' does not fit its tag"),
        ("a: b\n---\nc: d\n", "2:1: YAML: expected a single document in the stream but found"),
        ("[" * 20, "1:13: YAML: more than 12 levels"),
        ("name:\tx\x07\n", "1:8: YAML: a character that YAML does not permit"),
        ('name: "\\UFFFFFFFF"\n', "1:10: YAML: an escape that is not a character"),
        ('name: "\\uD800"\n', "1:7: an escape that is not a character"),
        (b"name: x\nb: \xff\n", "2:4: YAML: the file is not UTF-8"),
        ("", "1:1: the file: expected a mapping"),
        ("name: lab\nnodes: []\n", "2:8: nodes: at least 1 has to be in the list"),
        ("name: lab\n", "1:1: the key nodes is missing"),
    ],
)
def test_broken_file_has_its_place(text: str | bytes, expected: str) -> None:
    found = faults(text)
    assert [fault for fault in found if fault.startswith(expected)], found


def test_all_faults_are_found_in_one_go() -> None:
    text = GOOD.replace("debian-12", "debian-11").replace("2026.2", "2020.1")
    text = text.replace("10.0.0.2", "10.0.0.1").replace("opae: {", "xrt: {")
    assert [fault.split(":")[0] for fault in faults(text)] == ["2", "3", "9", "15"]


def test_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(problems.DeploymentError, match=r"/nowhere/cloud\.yaml: No such file"):
        loader.content(ROOT / "/nowhere/cloud.yaml")


def test_schema_has_the_drivers_that_there_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    drivers = KNOWN.schema["$defs"]["fpga"]["properties"]["drivers"]["items"]["enum"]
    assert drivers == sorted(project["entry-points"]["fpga_regions.drivers"])


def test_catalogue_has_the_series_of_the_diffs() -> None:
    assert {26, 29, 31, 34} <= KNOWN.series
    assert KNOWN.locked in KNOWN.series
    assert set(catalogue.PACKAGED.values()) <= KNOWN.series
    assert list(catalogue.PACKAGED) == KNOWN.schema["properties"]["distribution"]["enum"]
    page = (ROOT / "docs/patching.md").read_text()
    for series in KNOWN.series:
        assert re.search(rf"\b{series}\s\({catalogue.release_of(series)}\b", page)


#: What hypothesis builds documents of, so that some get beyond the syntax.
SCALARS = st.none() | st.booleans() | st.integers(-3, 99999) | st.text(max_size=8)
WORDS = st.sampled_from(
    [
        *("name", "base_user", "distribution", "release", "nodes", "address", "roles", "modules"),
        *("fpga", "drivers", "regions", "options", "debian-12", "2026.2", "controller", "compute"),
        *("emulator", "opae", "database", "content", "10.0.0.1", "a", "b"),
        *("configuration", "install", "packages", "debian-13"),
        *("networks", "none", "ovn", "tunnel", "interface", "external", "10.1.0.1/24"),
    ]
)
TREES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=30,
)


#: Other work on the machine is no fault of an example.
UNHURRIED = hypothesis.settings(deadline=None)


def _is_located(content: bytes) -> None:
    for fault in faults(content):
        fault.encode("ascii", "strict")
        place = re.match(r"([1-9]\d*):([1-9]\d*): \S", fault)
        assert place, fault
        assert int(place[1]) <= len(content.decode(errors="replace").splitlines()) + 1


@UNHURRIED
@hypothesis.given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_text_gives_a_cloud_or_located_faults(content: bytes) -> None:
    _is_located(content)


@UNHURRIED
@hypothesis.given(TREES)
def test_any_document_gives_a_cloud_or_located_faults(tree: typing.Any) -> None:
    _is_located(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


@UNHURRIED
@hypothesis.given(st.data())
def test_any_change_of_a_good_file_gives_a_cloud_or_located_faults(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(start + 20, len(GOOD))))
    text = GOOD[:start] + data.draw(st.text(max_size=10) | WORDS) + GOOD[end:]
    _is_located(text.encode("utf-8", "surrogatepass"))


def test_libraries_are_those_of_the_tools() -> None:
    tools = (ROOT / "requirements/tools.in").read_text().split()
    for name in ("jsonschema", "PyYAML", "rich"):
        assert name in tools and importlib.metadata.version(name)
