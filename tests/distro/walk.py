# SPDX-License-Identifier: Apache-2.0
"""Patches Debian's own Nova as docs/install.md says, uses it, upgrades it, takes the patch back."""

import collections.abc
import json
import shutil
import subprocess
import sys

from tests.distro import stock
from tests.distro.operator import CHECKOUT, Operator, expect, wait

_BUILD = CHECKOUT / "build_scripts"

#: What is followed of docs/install.md: installation, an upgrade, the way back.
SECTIONS = (
    "1. Every host",
    "2. Columns, once, on a controller",
    "3. Controllers",
    "4. Compute hosts with FPGA",
    "Upgrade of Nova",
    "Return to a stock Nova",
)

#: Users of the services, and where these are; for catalogue.py.
_CATALOGUE = {
    "users": {name: ["admin", "service"] for name in ("nova", "glance", "placement", "neutron")},
    "services": {
        kind: {"name": name, "url": f"http://controller:{place}"}
        for kind, name, place in (
            ("image", "glance", "9292"),
            ("placement", "placement", "8778"),
            ("network", "neutron", "9696"),
            ("compute", "nova", "8774/v2.1"),
        )
    },
}

#: An engine that needs no bridge; its control groups have a name that is ours.
_ENGINE = {"bridge": "none", "iptables": False, "ip-masq": False, "cgroup-parent": stock.CGROUP}

#: The script that starts the engine ends where root may not raise its own limits.
_LIMITS = 'ulimit() { command ulimit "$@" || true; }\n'

#: The engine's client: where it is a package of its own, docker.io only recommends it.
_CLIENT = "! apt-cache show docker-cli > /dev/null 2>&1 || apt-get install docker-cli"

_CONTENT = """
openstack image create --container-format docker --disk-format raw --file ubuntu_lzo.tar ubuntu_lzo
/opt/fpga-nova/bin/python build_package.py --output lzo_compression.zip
id=$(fpga-cli.py image create lzo_compression.zip --visibility public)
nova flavor-create fpga-lzo 6 256 1 1
nova flavor-key fpga-lzo set hw:fpga_ip_id=$id resources:CUSTOM_FPGA_REGION=1
nova flavor-create small 7 256 1 1
"""

_FORGET = """
service nova-compute stop || true
openstack compute service list --service nova-compute -f value -c ID |
    xargs openstack compute service delete
rm -f /var/lib/nova/compute_id
"""

#: What the region compresses, another program must expand to what it was.
_USE = """
seq 3000 | head -c 16000 > input || true
docker exec -i nova-{server} fpga-client /dev/fpga0 < input > packed
/opt/fpga-nova/bin/python -c '
import lzallright
packed, given = (open(name, "rb").read() for name in ("packed", "input"))
assert 0 < len(packed) < len(given), len(packed)
assert lzallright.LZOCompressor.decompress(packed, len(given)) == given'
"""

#: Ledger, database and Placement must agree.
_AGREE = "fpga-cli.py status --format json | fpga-manage check --status $(hostname)=-"

_COUNTED = (
    "SELECT SUM(fpga_regions), SUM(fpga_regions_used) FROM nova.compute_nodes WHERE deleted = 0"
)

#: How many compute hosts the scheduler takes for alive.
_ALIVE = (
    "SELECT COUNT(*) FROM nova.services WHERE topic = 'compute' "
    "AND last_seen_up > UTC_TIMESTAMP() - INTERVAL 30 SECOND"
)


def _make_cloud(operator: Operator) -> None:
    for path in (
        CHECKOUT / "tests/distro/cloud.sh",
        CHECKOUT / "tests/distro/ini.py",
        _BUILD / "roles/keystone/files/catalogue.py",
        _BUILD / "images/build_package.py",
    ):
        shutil.copy(path, operator.debian.folder / "root")
    operator.debian.write("/etc/docker/daemon.json", json.dumps(_ENGINE))
    operator.debian.write("/etc/default/docker", _LIMITS)
    operator.run(f"CATALOGUE='{json.dumps(_CATALOGUE)}' bash cloud.sh")
    operator.run(f"{_SCHEMA} > stock.sql")


#: Tables, columns and indexes of the cells.
_SCHEMA = (
    "mysqldump --no-data --skip-comments --databases nova nova_cell0 "
    "| sed 's/ AUTO_INCREMENT=[0-9]*//'"
)


def _install(operator: Operator) -> None:
    operator.fetch_build()
    operator.follow(*SECTIONS[:4])


def _make_content(operator: Operator) -> None:
    operator.run(_CLIENT)
    image = operator.debian.folder / "root/ubuntu_lzo.tar"
    build = [sys.executable, str(_BUILD / "images/build_docker_image.py"), "--output", str(image)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    operator.run(_CONTENT)


def _boot(operator: Operator) -> None:
    _wait_for_free(operator)
    operator.run("nova boot --flavor fpga-lzo --image ubuntu_lzo --nic none --poll dcr1")
    server = operator.ask("openstack server show dcr1 -f json")
    expect("its state", server["status"], "ACTIVE")
    report = operator.ask("fpga-cli.py status --format json")
    owned = [one["id"] for one in report["regions"] if one["owner"] == server["id"]]
    row = operator.query(f"SELECT fpga_device FROM nova.instances WHERE uuid = '{server['id']}'")
    expect("its region in the ledger and in its row", (owned, len(row)), (row, 1))
    operator.run(_USE.format(server=server["id"]))
    allocated = operator.ask(f"openstack resource provider allocation show {server['id']} -f json")
    counts = [one["resources"].get("CUSTOM_FPGA_REGION") for one in allocated]
    expect("its regions in Placement", counts, [1])
    operator.run(_AGREE)
    operator.run("openstack server delete --wait dcr1")
    expect("regions in use", operator.run("fpga-cli.py status").strip(), "Used regions: 0/2")
    expect("containers", operator.run("docker ps --all --quiet"), "")
    _wait_for_free(operator)
    operator.run(_AGREE)


def _wait_for_host(operator: Operator) -> None:
    wait("nova-compute is up", lambda: operator.query(_ALIVE) == ["1"])


def _wait_for_free(operator: Operator) -> None:
    _wait_for_host(operator)
    wait("the database counts two free regions", lambda: operator.query(_COUNTED) == ["2", "0"])


def _reinstall(operator: Operator) -> None:
    operator.run(
        "apt-get install --reinstall python3-nova nova-common nova-api nova-conductor "
        "nova-scheduler nova-compute nova-compute-ironic"
    )
    operator.run("fpga-patch verify; fpga-patch doctor")


def _upgrade(operator: Operator) -> None:
    pin = operator.debian.folder / stock.PIN.lstrip("/")
    pin.unlink(missing_ok=True)
    query = "dpkg-query -W -f '${Version}' python3-nova"
    before = operator.run(query)
    operator.follow(SECTIONS[4])
    operator.run("fpga-patch verify; fpga-patch doctor")
    print(f"          {before} -> {operator.run(query)}", flush=True)


def _revert(operator: Operator) -> None:
    # What the page says in words: take out what you added by hand.
    operator.run("sed -i '/novadocker/d; /simulation_mode/d' /etc/nova/nova-compute.conf")
    operator.run("rm /etc/sudoers.d/fpga-nova")
    operator.follow(SECTIONS[5])
    expect("changed files of python3-nova", operator.run("dpkg --verify python3-nova"), "")
    operator.run("debsums --changed python3-nova")
    expect("the schema's changes", operator.run(f"{_SCHEMA} | diff stock.sql - || true"), "")


def _boot_ordinary(operator: Operator) -> None:
    """On the driver that every Nova has: there is none for containers any more.

    The host is a new one for Nova then, because that driver has a node identity of its own.
    """
    operator.run(_FORGET)
    operator.configure(
        "/etc/nova/nova-compute.conf", "[DEFAULT]\ncompute_driver = fake.FakeDriver\n"
    )
    operator.run("service nova-compute restart")
    _wait_for_host(operator)
    operator.run("nova-manage cell_v2 discover_hosts")
    operator.run("nova boot --flavor small --image ubuntu_lzo --nic none --poll plain")
    server = operator.ask("openstack server show plain -f json")
    expect("its state", server["status"], "ACTIVE")
    operator.run("openstack server delete --wait plain")


STEPS: dict[str, collections.abc.Callable[[Operator], None]] = {
    "a cloud of Debian's packages, configured and started": _make_cloud,
    "docs/install.md followed; the doctor lacks nothing": _install,
    "a bitstream in Glance, and a flavor that names it": _make_content,
    "an FPGA container booted, used and deleted": _boot,
    "python3-nova reinstalled: patched anew, its services run it": _reinstall,
    "a container on the reinstalled Nova": _boot,
    "python3-nova upgraded, if there is a newer one": _upgrade,
    "a container on the upgraded Nova": _boot,
    "back to a stock Nova: files, configuration, database": _revert,
    "an ordinary server on it": _boot_ordinary,
}
