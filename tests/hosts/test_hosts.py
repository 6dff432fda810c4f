# SPDX-License-Identifier: Apache-2.0
"""Local hosts are as hosts elsewhere: they are reached, fail, return, and leave nothing."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from tests.hosts.conftest import FOLDER, ROOT, SHARED, Command

NAMES = ("controller", "compute1", "compute2")

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.apt: {name: hello, update_cache: true}
    - ansible.builtin.copy: {content: "x", dest: /etc/tried, mode: "0644"}
    - ansible.builtin.systemd_service: {name: fstrim, masked: true}
"""


def test_each_host_is_up_within_its_memory(command: Command) -> None:
    hosts = json.loads(command("status", "--format", "json"))["hosts"]
    print(command("status"))
    assert [(h["name"], h["system"], h["network"], h["failed"]) for h in hosts] == [
        (name, "running", "joined", []) for name in NAMES
    ]
    assert max(h["memory"] for h in hosts) <= 150 << 20


def test_second_call_changes_nothing(command: Command) -> None:
    assert command.up() == ""


def test_hosts_know_each_other_and_have_names_of_their_own(command: Command) -> None:
    for name in NAMES:
        assert command.ask(name, "hostname") == name
        assert command.ask(name, "getent hosts compute2 machine").split()[::2] == [
            "10.78.0.13",
            "10.78.0.1",
        ]
        command.ask(name, "ping -c 1 -W 2 compute2")


def test_hosts_have_identities_of_their_own(command: Command) -> None:
    assert len({command.ask(name, "cat /etc/machine-id") for name in NAMES}) == 3


def test_host_with_another_key_is_refused(command: Command) -> None:
    known = FOLDER / "ssh/known_hosts"
    before = known.read_text()
    first, second, third = before.splitlines()
    swapped = [first.split()[0], *second.split()[1:]]
    known.write_text("\n".join([" ".join(swapped), second, third]) + "\n")
    try:
        assert command.ssh("controller", "true").returncode == 255
    finally:
        known.write_text(before)


def test_host_reaches_packages_as_the_machine_does(command: Command) -> None:
    fetch = "import urllib.request as r; print(r.urlopen('https://pypi.org/simple/six/').status)"
    assert command.ask("compute1", f'python3 -c "{fetch}"') == "200"
    command.ask("compute1", "apt-get update && apt-get install --download-only -y hello")


def test_etc_is_the_hosts_own(command: Command) -> None:
    script = "cp /etc/hosts /etc/hosts.new && mv /etc/hosts.new /etc/hosts"
    command.ask("compute1", f"{script} && hostnamectl set-hostname compute1")


def test_second_run_of_ansible_changes_nothing(command: Command, tmp_path: pathlib.Path) -> None:
    inventory = {"all": {"hosts": json.loads(command("inventory"))}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    (tmp_path / "play.yml").write_text(PLAY)
    changes = []
    for _ in range(2):
        start = time.monotonic()
        done = subprocess.run(
            [
                *(ROOT / ".tools/bin/ansible-playbook", "-i", tmp_path / "inventory.json"),
                tmp_path / "play.yml",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        print(f"three tasks on three hosts: {time.monotonic() - start:.1f} s")
        changes.append(re.findall(r"changed=(\d+)", done.stdout))
    assert changes == [["3"] * 3, ["0"] * 3]


def test_shared_folder_is_read_by_all_and_written_by_one(command: Command) -> None:
    assert (
        command.ask("controller", f"echo shared > {SHARED}/file && cat {SHARED}/file") == "shared"
    )
    assert command.ask("compute1", f"cat {SHARED}/file") == "shared"
    assert command.ssh("compute1", f"touch {SHARED}/file").returncode != 0


def test_folders_above_a_mount_point_are_for_every_user(command: Command) -> None:
    as_nobody = "setpriv --reuid=nobody --clear-groups"
    assert command.ask("compute1", f"{as_nobody} cat {SHARED}/file") == "shared"


def test_host_that_is_cut_runs_on_and_is_reached_once_it_is_joined(command: Command) -> None:
    before = command.ask("compute1", "cat /proc/sys/kernel/random/boot_id; date +%s > /root/since")
    command("cut", "compute1")
    assert command.ssh("compute1", "true").returncode == 255
    assert command.ssh("controller", "ping -c 1 -W 1 compute1").returncode == 1
    assert command("exec", "compute1", "cat", "/sys/class/net/eth0/carrier").strip() == "0"
    command("cut", "compute1")
    command("join", "compute1")
    assert command.ask("compute1", "cat /proc/sys/kernel/random/boot_id") == before


def test_host_that_was_killed_returns_with_its_files(command: Command) -> None:
    command.ask("compute1", "echo kept > /root/file; sync")
    command("kill", "compute1")
    assert command.ssh("compute1", "true").returncode == 255
    assert "exited" in command("status")
    command("kill", "compute1")
    start = time.monotonic()
    command("start", "compute1")
    print(f"start after kill: {time.monotonic() - start:.1f} s")
    assert command.ask("compute1", "cat /root/file; hostname") == "kept\ncompute1"
    assert command("start", "compute1") == ""


def test_host_that_is_cut_stays_cut_while_it_starts(command: Command) -> None:
    command("cut", "compute2")
    command("kill", "compute2")
    command("start", "compute2")
    assert command.ssh("compute2", "true").returncode == 255
    command("join", "compute2")
    command.ask("compute2", "true")


def test_reboot_shuts_services_down(command: Command) -> None:
    command.ask("compute2", "systemctl is-active ssh")
    start = time.monotonic()
    command("reboot", "compute2")
    print(f"reboot: {time.monotonic() - start:.1f} s")
    last = command.ask("compute2", "journalctl --no-pager -q -b -1 -n 20 || true")
    assert command.ask("compute2", "systemctl is-system-running") == "running", last


def test_reboot_from_within_ends_the_host_until_it_is_started(command: Command) -> None:
    command.ssh("compute2", "systemctl reboot")
    end = time.monotonic() + 40
    while "exited" not in command("status"):
        assert time.monotonic() < end
        time.sleep(0.5)
    command("start", "compute2")
    command.ask("compute2", "true")


def test_renamed_host_is_known_by_its_new_name_everywhere(command: Command) -> None:
    command("rename", "compute2", "fpga9")
    command("rename", "compute2", "fpga9")
    assert command.ask("fpga9", "hostname; getent hosts fpga9") == "fpga9\n10.78.0.13      fpga9"
    assert command.ssh("controller", "getent hosts compute2").returncode == 2
    assert command.ask("controller", "getent hosts fpga9").split() == ["10.78.0.13", "fpga9"]
    command("kill", "fpga9")
    command("start", "fpga9")
    assert command.ask("fpga9", "hostname") == "fpga9"
    command("rename", "fpga9", "compute2")


def test_stopped_host_is_renamed_when_it_starts(command: Command) -> None:
    command("stop", "compute2")
    command("rename", "compute2", "fpga9")
    command("start", "fpga9")
    assert command.ask("fpga9", "hostname") == "fpga9"
    command("rename", "fpga9", "compute2")


@pytest.mark.parametrize("seconds", [0.5, 1, 1.5, 2, 3])
def test_call_that_is_killed_half_way_can_be_repeated(command: Command, seconds: float) -> None:
    command("down")
    call = subprocess.Popen(
        [*command.words, "up", "2", "--subnet", "10.78.0.0/24"], stdout=subprocess.DEVNULL
    )
    time.sleep(seconds)
    call.send_signal(signal.SIGKILL)
    call.wait()
    command("up", "2", "--subnet", "10.78.0.0/24")
    command.ask("compute1", "systemctl is-system-running")


def test_removal_leaves_nothing(command: Command) -> None:
    command.up()
    command("down")
    command("down")
    assert not FOLDER.exists()
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    assert "fpgahosts" not in links
    assert str(FOLDER) not in pathlib.Path("/proc/self/mountinfo").read_text()
    words = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(FOLDER) not in words
    groups = {name for _, names, _ in os.walk("/sys/fs/cgroup") for name in names}
    assert not [name for name in groups if name.startswith("fpga-nova-hosts-")]
