# SPDX-License-Identifier: Apache-2.0
"""The inventory and the plan of a cloud are what its file and the playbook say."""

import dataclasses
import json
import typing
from pathlib import Path

import jinja2
import pytest
import yaml
from deployment import catalogue, command, inventory, loader, model, plan, playbook, vault
from deployment.catalogue import ROOT
from deployment.folder import Folder
from deployment.problems import DeploymentError

SCRIPTS = ROOT / "build_scripts"
EXAMPLE = SCRIPTS / "cloud.yaml"


@pytest.fixture
def cloud() -> model.Deployment:
    return loader.parse(loader.content(EXAMPLE), catalogue.read())


def phases(cloud: model.Deployment, folder: Folder, name: str) -> dict[str, list[str]]:
    """The phases of a node by name, with their steps."""
    (found,) = plan.build(cloud, folder, frozenset([name]))
    return {phase.name: list(phase.steps) for phase in found.phases}


def test_every_group_has_its_nodes(cloud: model.Deployment, folder: Folder) -> None:
    groups = inventory.build(cloud, folder)["all"]["children"]
    assert {name: list(group["hosts"]) for name, group in groups.items()} == {
        "controller": ["controller.three-hosts"],
        "database": ["controller.three-hosts"],
        "messaging": ["controller.three-hosts"],
        "compute": ["compute1", "compute2"],
    }


def test_no_host_has_the_name_of_a_group(cloud: model.Deployment, folder: Folder) -> None:
    hosts = inventory.build(cloud, folder)["all"]["hosts"]
    assert hosts["controller.three-hosts"]["nova_host"] == "controller"
    assert not hosts.keys() & {*inventory.GROUPS, "all", "ungrouped"}


def test_host_has_its_own_variables(cloud: model.Deployment, folder: Folder) -> None:
    hosts = inventory.build(cloud, folder)["all"]["hosts"]
    assert hosts["compute1"]["internal_address"] == "192.168.0.11"
    assert (hosts["compute1"]["fpga_drivers"], hosts["compute1"]["fpga_regions"]) == (
        ["emulator"],
        2,
    )
    assert hosts["compute2"]["fpga_drivers"] == []
    assert [host["cloud_content"] for host in hosts.values()] == [True, False, False]
    assert {host["cloud_install"] for host in hosts.values()} == {"venv"}
    assert {host["service_manager"] for host in hosts.values()} == {"systemd"}
    assert {host["ansible_become"] for host in hosts.values()} == {False}


def test_cloud_without_networks_has_none_of_their_steps(
    cloud: model.Deployment, folder: Folder
) -> None:
    steps = phases(dataclasses.replace(cloud, networks=False), folder, "compute2")
    assert steps["Compute hosts"] == ["nova_compute"]


def test_compute_hosts_have_live_images_where_the_file_says_so(folder: Folder) -> None:
    text = EXAMPLE.read_text().replace("install: venv", "install: venv\n  live_images: true")
    for content, has_them in ((text, True), (EXAMPLE.read_text(), False)):
        cloud = loader.parse(content.encode(), catalogue.read())
        for name in ("controller", "compute1", "compute2"):
            steps = phases(cloud, folder, name)["Message broker, database, Docker Engine"]
            assert ("Live images" in steps) is (has_them and name != "controller")
        variables = inventory.variables(cloud, cloud.nodes[0], folder)
        assert variables["live_images"] is has_them


def test_first_compute_host_is_the_gateway_where_no_node_leads_outside(
    cloud: model.Deployment, folder: Folder
) -> None:
    def gateways(cloud: model.Deployment) -> list[str]:
        hosts = inventory.build(cloud, folder)["all"]["hosts"]
        return [host["nova_host"] for host in hosts.values() if host["network_gateway"]]

    assert gateways(cloud) == ["compute1"]
    *others, last = cloud.nodes
    leading = dataclasses.replace(last, external="eth2")
    assert gateways(dataclasses.replace(cloud, nodes=(*others, leading))) == ["compute2"]


def test_base_user_becomes_root(tmp_path: Path, folder: Folder) -> None:
    text = EXAMPLE.read_text().replace("base_user: root", "base_user: admin")
    cloud = loader.parse(text.encode(), catalogue.read())
    variables = inventory.variables(cloud, cloud.nodes[0], folder)
    assert (variables["ansible_user"], variables["ansible_become"]) == ("admin", True)


def test_key_of_the_folder_is_the_only_one_where_it_has_one(
    cloud: model.Deployment, folder: Folder
) -> None:
    def arguments() -> str:
        variables = inventory.variables(cloud, cloud.nodes[0], folder)
        return str(variables["ansible_ssh_common_args"])

    assert "-i" not in arguments().split()
    folder.key.write_text("")
    assert f"IdentitiesOnly=yes -i {folder.key}" in arguments()
    assert f"UserKnownHostsFile={folder.known_hosts}" in arguments()


def test_variables_are_known_to_the_roles(cloud: model.Deployment, folder: Folder) -> None:
    """A name that nothing reads would be a mistake in one of the two places."""
    files = [SCRIPTS / "group_vars/all.yml", *SCRIPTS.glob("*.yml")]
    for pattern in ("tasks/*", "templates/*", "defaults/*"):
        files += SCRIPTS.glob(f"roles/*/{pattern}")
    text = "\n".join(file.read_text() for file in files)
    for node in cloud.nodes:
        for name in inventory.variables(cloud, node, folder):
            assert name.startswith("ansible_") or name in text, name


def test_secrets_override_what_the_demo_looks_up() -> None:
    variables = yaml.safe_load((SCRIPTS / "group_vars/all.yml").read_text())
    looked_up = {name for name, value in variables.items() if "builtin.password" in str(value)}
    assert looked_up == set(vault.NAMES)


def test_plan_has_the_phases_of_each_role(cloud: model.Deployment, folder: Folder) -> None:
    controller = phases(cloud, folder, "controller")
    assert list(controller)[3:] == [
        "Keystone",
        "Glance, Placement, Neutron",
        "Nova's controller",
        "Bitstreams, regions, availability",
        "Images and flavors",
    ]
    wires = ["openvswitch", "ovn_controller", "ovn_metadata"]
    last = "Wait for the metadata agent"
    compute1, compute2 = (phases(cloud, folder, name) for name in ("compute1", "compute2"))
    assert compute1["Compute hosts"] == [*wires, "fpga_cli", "nova_compute", last]
    assert compute2["Compute hosts"] == [*wires, "nova_compute", last]
    assert "Keystone" not in compute2
    assert compute2["Message broker, database, Docker Engine"] == [
        "Docker Engine",
        "Wait until they are ready",
    ]


def test_node_of_opencl_has_its_programs_and_its_role(
    cloud: model.Deployment, folder: Folder
) -> None:
    *others, last = cloud.nodes
    node = dataclasses.replace(last, opencl=model.OpenCl(3, 5))
    found = dataclasses.replace(cloud, nodes=(*others, node))
    steps = phases(found, folder, "compute2")
    assert steps["Nodes of OpenCL"] == ["opencl_node"]
    assert "Make fpga-cli's environment" in steps["Programs"]
    assert "Nodes of OpenCL" not in phases(found, folder, "compute1")
    variables = inventory.variables(found, node, folder)
    assert (variables["opencl_sessions"], variables["opencl_memory"]) == (3, 5)


def test_host_whose_regions_are_afar_has_an_agent(cloud: model.Deployment, folder: Folder) -> None:
    fpga = model.Fpga(("opencl",), 2, {"opencl": {"agent": "/socket"}})
    here = dataclasses.replace(fpga, options={})
    for cards, has_agent in ((fpga, True), (here, False)):
        *others, last = cloud.nodes
        node = dataclasses.replace(last, fpga=cards)
        found = dataclasses.replace(cloud, nodes=(*others, node))
        assert ("opencl_agent" in phases(found, folder, "compute2")["Compute hosts"]) is has_agent
        assert inventory.variables(found, node, folder)["opencl_folder"]


def test_environment_of_fpga_cli_is_where_somebody_uses_it(
    cloud: model.Deployment, folder: Folder
) -> None:
    step, phase = "Make fpga-cli's environment", "Programs"
    assert step in phases(cloud, folder, "controller")[phase]  # the images are made there
    assert step in phases(cloud, folder, "compute1")[phase]
    assert step not in phases(cloud, folder, "compute2")[phase]


def test_packages_take_the_place_of_the_clouds_environment(
    cloud: model.Deployment, folder: Folder
) -> None:
    venv = ["Make the cloud's environment", "Put the diff into its Nova"]
    packages = ["Install OpenStack's packages and patch their Nova"]
    other = dataclasses.replace(cloud, install="packages")
    for name, rest in {"compute1": ["Make fpga-cli's environment"], "compute2": []}.items():
        assert phases(cloud, folder, name)["Programs"] == venv + rest
        assert phases(other, folder, name)["Programs"] == packages + rest
    step = "Make fpga-api's environment"
    assert step in phases(other, folder, "controller")["Programs"]
    assert step not in phases(cloud, folder, "controller")["Programs"]
    assert "OpenStack 2026.2 (Nova 34) on debian-12, from its packages" in plan.text(other, [])
    assert plan.record(other, [])["install"] == "packages"


def test_plan_knows_each_role_and_form_of_the_playbook(
    cloud: model.Deployment, folder: Folder
) -> None:
    for play in yaml.safe_load(plan.PLAYBOOK.read_text()):
        for name, _conditions in plan._steps(play):
            assert play.get("tasks") or (SCRIPTS / "roles" / name / "tasks/main.yml").exists()


@pytest.mark.parametrize(
    "play",
    [
        {"name": "New", "hosts": "all", "pre_tasks": []},
        {"name": "New", "hosts": "all", "roles": [{"role": "common", "when": "nobody"}]},
    ],
)
def test_form_that_the_plan_does_not_know_is_refused(
    play: dict[str, typing.Any],
    cloud: model.Deployment,
    folder: Folder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    book = tmp_path / "deploy.yml"
    book.write_text(yaml.safe_dump([play]))
    monkeypatch.setattr(plan, "PLAYBOOK", book)
    with pytest.raises(DeploymentError, match=r"deploy\.yml: "):
        plan.build(cloud, folder, frozenset(["compute1"]))


def test_demo_is_the_same_playbook() -> None:
    (only,) = yaml.safe_load((SCRIPTS / "demo.yml").read_text())
    assert only["ansible.builtin.import_playbook"] == "deploy.yml"


def test_plan_is_printed_for_programs_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "none"
    words = ["plan", str(EXAMPLE), "--folder", str(folder), "--format", "json"]
    assert command.main([*words, "--limit", "compute2, controller"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["release"], record["series"]) == ("2026.2", 34)
    assert [node["name"] for node in record["nodes"]] == ["controller", "compute2"]
    assert record["nodes"][1]["phases"][-1] == {
        "number": 8,
        "name": "Compute hosts",
        "steps": [
            *("openvswitch", "ovn_controller", "ovn_metadata", "nova_compute"),
            "Wait for the metadata agent",
        ],
    }
    assert not folder.exists()


def test_plan_is_printed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["plan", str(EXAMPLE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "compute1  192.168.0.11  compute  FPGA: emulator, 2 emulated regions" in lines
    assert "  8. Compute hosts: " in "\n".join(lines)
    assert (
        sum("ovn_controller, ovn_metadata, fpga_cli, nova_compute" in line for line in lines) == 1
    )


def test_node_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["plan", str(EXAMPLE), "--limit", "compute3"]) == 2
    assert "no node 'compute3' in the file; did you mean compute2?" in capsys.readouterr().err


def test_faults_of_a_file_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("nam: x\nnodes: 3\n")
    assert command.main(["plan", str(file)]) == 2
    error = capsys.readouterr().err.splitlines()
    assert f"{file}:1:1: unknown key 'nam'; did you mean name?" in error
    assert f"{file}:2:8: nodes: expected a list, not 3" in error


def test_no_secret_is_in_a_command_line(cloud: model.Deployment, folder: Folder) -> None:
    words = playbook.command("deploy.yml", cloud, folder, cloud.nodes[1:])
    assert words[words.index("--limit") + 1] == "compute1,compute2"
    assert f"@{folder.vault}" in words


def _conf(sections: dict[str, dict[str, str]], drivers: list[str]) -> list[str]:
    folder = SCRIPTS / "roles/fpga_cli/templates"
    loaders = jinja2.FileSystemLoader([folder, SCRIPTS / "templates"])
    template = jinja2.Environment(loader=loaders, trim_blocks=True).get_template("fpga-cli.conf.j2")
    return template.render(fpga_sections=sections, fpga_drivers=drivers).splitlines()


def test_fpga_cli_has_the_drivers_and_their_options() -> None:
    sections = {"emulator": {"regions": "2"}, "opae:pac0": {"board": "n3000"}}
    lines = _conf(sections, ["emulator", "opae"])
    assert "drivers = emulator, opae" in lines
    start = lines.index("[emulator]")
    assert lines[start : start + 5] == [
        "[emulator]",
        "regions = 2",
        "",
        "[opae:pac0]",
        "board = n3000",
    ]
