#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The walk through the demo cloud: boot, use and delete FPGA containers, and check each step."""

import argparse
import functools
import json
import random
import subprocess
import sys
import time
import typing
from pathlib import Path

import scenario_functions
import scenario_live
import scenario_opencl
import scenario_programs
from cloud import Cloud, CloudError
from keystoneauth1 import adapter

INPUT_SIZE = 16 * 1024

#: The servers of the walk; a server of another name is somebody's own and is left alone.
NAMES = frozenset({"dcr1", "dcr2", "dcr3", "plain"})

#: What nova-scheduler logs where Placement has no host.
NO_CANDIDATES = "Got no allocation candidates from the Placement API"

#: Seconds after which the engine of fpga-api must have counted anew.
AVAILABLE_WITHIN = 60

#: The description of what else the walk makes.
MARK = "fpga-nova's walk"

#: Where the image of the servers serves a region, and who reaches it from beyond the router.
PORT = "9000"
OUTSIDE = ("ip", "netns", "exec", "fpga-nova-outside")

#: Seconds until an audit of the host has brought Placement up to date.
AUDITED_WITHIN = 120

#: Seconds until OVN has done what Neutron has accepted.
WIRED_WITHIN = 60

_LZO = """
import sys, lzallright
data, size = sys.stdin.buffer.read(), int(sys.argv[1])
sys.stdout.buffer.write(lzallright.LZOCompressor.decompress(data, size))
"""


def sample() -> bytes:
    """Something that a compressor has work with: words, and runs of one byte."""
    words = [b"region ", b"burn ", b"erase ", bytes(60), b"=" * 40, random.randbytes(8)]
    return b"".join(random.choices(words, k=INPUT_SIZE))[:INPUT_SIZE]


def expand_packbits(data: bytes) -> bytes:
    """What PackBits stands for (TIFF 6.0, section 9)."""
    output = bytearray()
    source = iter(data)
    for head in source:
        if head < 128:
            output += bytes(next(source) for _ in range(head + 1))
        elif head > 128:
            output += bytes([next(source)]) * (257 - head)
    return bytes(output)


def expand_lzo(data: bytes, python: Path) -> bytes:
    """What an LZO1X stream stands for, by a library of that Python."""
    command = [str(python), "-c", _LZO, str(INPUT_SIZE)]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


class Walk:
    """The steps, printed as a user would type them, with what they took.

    :param cloud: the demo cloud, as its administrator, for what Placement says
    :param out: where to print
    :ivar cloud: the same, as an ordinary user
    """

    def __init__(self, cloud: Cloud, out: typing.TextIO = sys.stdout) -> None:
        self.admin = cloud
        self.cloud = as_user(cloud)
        self.out = out
        self.figures: dict[str, float] = {}

    def say(self, text: str = "") -> None:
        """Print a line at once."""
        print(text, file=self.out, flush=True)

    def expect(self, what: str, found: object, expected: object) -> None:
        """Go on only if it is as it should be."""
        if found != expected:
            raise CloudError(f"{what}: expected {expected!r}, found {found!r}")
        self.say(f"  ok: {what}: {found}")

    def wait_for_placement(self, what: str, query: str, microversion: str, member: str) -> None:
        """Go on once Placement's answer to a query has something in a member; after audits.

        :raises CloudError: it has nothing for too long
        """
        end = time.monotonic() + AUDITED_WITHIN
        while time.monotonic() < end:
            answer = self.admin.api.placement.get(query, microversion=microversion)
            if answer.ok and answer.json()[member]:
                return
            time.sleep(0.5)
        raise CloudError(f"{what}: not within {AUDITED_WITHIN} s")

    def shell(self, *command: str, cloud: Cloud | None = None) -> str:
        """Run a command as the user types it, and show what it prints."""
        self.say(f"$ {' '.join(command)}")
        text = (cloud or self.cloud).run(*command).stdout.decode().rstrip()
        self.say(text)
        return text

    def status(self, usage: str) -> None:
        """Show fpga-cli's status and compare it."""
        self.expect("status", self.shell("fpga-cli.py", "status"), f"Used regions: {usage}")

    def available(self, free: int) -> None:
        """Show the servers of each flavor that can be booted, as the engine has counted them.

        :param free: how many of fpga-lzo there are; the engine counts each few seconds
        """
        end = time.monotonic() + AVAILABLE_WITHIN
        while (found := self._free("fpga-lzo")) != free and time.monotonic() < end:
            time.sleep(0.5)
        self.shell("openstack", "fpga", "availability", "list")
        self.expect("servers of fpga-lzo that can be booted", found, free)

    def _free(self, flavor: str) -> int | None:
        """What fpga-api says of a flavor; None while it says nothing."""
        answer = self.api.get("/v1/availability").json()
        found = (one for one in answer.get("flavors", ()) if one["name"] == flavor)
        return next((one["free"] for one in found), None)

    @functools.cached_property
    def api(self) -> adapter.Adapter:
        """fpga-api, at the endpoint of the catalogue."""
        session = self.cloud.api.session
        return adapter.Adapter(session, service_type="fpga", raise_exc=False)

    def boot(self, name: str, flavor: str, expected: str = "ACTIVE") -> typing.Any:
        """Boot a server the way people know; answers the SDK's server."""
        command = ("--flavor", flavor, "--image", "ubuntu_lzo", name)
        self.say(f"$ nova boot {' '.join(command)}")
        start = time.monotonic()
        server = self.cloud.boot(name, flavor, nic=())
        duration = time.monotonic() - start
        self.figures[f"boot {name} ({flavor})"] = round(duration, 2)
        fault = f": {self.cloud.fault(server.id)}" if server.status == "ERROR" else ""
        self.say(f"  {name} is {server.status} after {duration:.1f} s{fault}")
        self.expect(f"{name} is", server.status, expected)
        return server

    def use(self, server: typing.Any, what: str, expand: typing.Callable[[bytes], bytes]) -> None:
        """Compress in the container, decompress outside it by an independent program.

        :param what: what runs in the region, for people
        """
        self.say(f"  its region runs {what}")
        client = ("docker", "exec", "-i", f"nova-{server.id}", "fpga-client", "/dev/fpga0")
        self.compress(f"on {server.name}", client, expand)

    def compress(
        self, where: str, client: tuple[str, ...], expand: typing.Callable[[bytes], bytes]
    ) -> None:
        """Send a sample through a client, and decompress what comes back.

        :param where: for the figures
        """
        data = sample()
        self.say(f"$ {' '.join(client)} < input > output")
        start = time.monotonic()
        packed = self.cloud.run(*client, data=data).stdout
        duration = time.monotonic() - start
        self.figures[f"compress {len(data) // 1024} KiB {where}"] = round(duration, 2)
        self.say(f"  {len(data)} bytes in, {len(packed)} bytes out")
        unpacked = expand(packed)
        if not 0 < len(packed) < len(data):
            raise CloudError(f"{len(data)} bytes were compressed to {len(packed)}")
        self.expect("the output decompresses to the input", unpacked == data, True)

    def agree(self, server: typing.Any, flavor_name: str) -> None:
        """nova show, the database and the ledger tell the same."""
        self.shell("nova", "show", server.name)
        region = self.cloud.region_of(server.id) or {}
        row = self.cloud.row_of(server.id)
        self.say(f"  ledger: region {region.get('id')} owner {region.get('owner')}")
        self.expect("the database row's fpga_device", row["fpga_device"], region.get("id"))
        flavor = self.cloud.api.compute.find_flavor(flavor_name, False, get_extra_specs=True)
        image_id = flavor.extra_specs["hw:fpga_ip_id"]
        self.expect("the region's bitstream", region.get("image_id"), image_id)
        self.expect("vm_state in the database", row["vm_state"], "active")

    def reach(
        self, server: typing.Any, other: typing.Any, expand: typing.Callable[[bytes], bytes]
    ) -> None:
        """Another server, and a client beyond the router, use a server's region over TCP."""
        self.shell("nova", "list")
        (address,) = self.cloud.addresses(server.id)
        inside = ("docker", "exec", "-i", f"nova-{other.id}", "nc", address, PORT)
        self.compress(f"from {other.name}", inside, expand)
        self.say("\n== A client beyond the router: a floating IP, a closed port, an opened one")
        created = self.shell(
            *("openstack", "floating", "ip", "create", "public", "--description", MARK),
            *("-f", "value", "-c", "floating_ip_address"),
        )
        self.shell("openstack", "server", "add", "floating", "ip", server.name, created)
        self.wired(created)
        client = (*OUTSIDE, "busybox", "nc", "-w", "5", created, PORT)
        self.say(f"$ {' '.join(client)} < input")
        closed = self.cloud.run(*client, data=sample(), check=False)
        self.expect("the default security group lets it through", closed.returncode == 0, False)
        (port,) = self.cloud.api.network.ports(device_id=server.id)
        (group,) = port.security_group_ids
        self.shell(
            *("openstack", "security", "group", "rule", "create", group, "--protocol", "tcp"),
            *("--dst-port", PORT, "--description", MARK, "-f", "value", "-c", "id"),
        )
        patient = (*OUTSIDE, "busybox", "nc", "-w", str(WIRED_WITHIN), created, PORT)
        self.compress("from beyond the router", patient, expand)

    def wired(self, address: str) -> None:
        """Wait until the router answers for a floating IP; one that nobody has is closed, too."""
        ask = (*OUTSIDE, "busybox", "arping", "-c", "1", "-w", "1", "-I", "eth0", address)
        end = time.monotonic() + WIRED_WITHIN
        while self.cloud.run(*ask, check=False).returncode:
            if time.monotonic() > end:
                of = f"unix:{self.cloud.folder}/run/ovn/"
                self.shell(
                    "ovn-nbctl", f"--db={of}nb.sock", "find", "NAT", f"external_ip={address}"
                )
                redirects = ("find", "Port_Binding", "type=chassisredirect")
                self.shell("ovn-sbctl", f"--db={of}sb.sock", *redirects)
                raise CloudError(f"{address} has not answered ARP requests for {WIRED_WITHIN} s")

    def refused(self, start: int) -> None:
        """The third FPGA server finds no host, because Placement has none for it."""
        server = self.boot("dcr3", "fpga-lzo", expected="ERROR")
        fault = self.cloud.fault(server.id)
        self.expect("its fault says No valid host", "No valid host" in fault, True)
        log = self.cloud.log("nova-scheduler")[start:]
        self.expect("the scheduler's log says that Placement has none", NO_CANDIDATES in log, True)
        self.say("  The administrator asks Placement for a host with a free region:")
        question = ("allocation", "candidate", "list", "--resource", "CUSTOM_FPGA_REGION=1")
        version = ("--os-placement-api-version", "1.12")
        found = self.shell("openstack", *question, *version, "-f", "value", cloud=self.admin)
        self.expect("hosts that Placement has", found, "")

    def leave_nothing(self, servers: list[typing.Any]) -> None:
        """Delete every server; nothing of them is left anywhere."""
        self.say(f"$ nova delete {' '.join(server.name for server in servers)}")
        ports = [port for one in servers for port in self.cloud.api.network.ports(device_id=one.id)]
        taps = [Path("/sys/class/net", f"tap{port.id[:11]}") for port in ports]
        # The third FPGA server found no host, and so has none.
        self.expect("interfaces", sum(path.exists() for path in taps), len(servers) - 1)
        start = time.monotonic()
        self.cloud.delete(*(server.id for server in servers))
        self.figures["delete all"] = round(time.monotonic() - start, 2)
        self.status("0/2")
        ours = {f"nova-{server.id}{end}" for server in servers for end in ("", "-network")}
        self.expect("containers left", sorted(self.cloud.containers() & ours), [])
        self.expect("interfaces left", [path.name for path in taps if path.exists()], [])
        rows = [self.cloud.row_of(server.id) for server in servers]
        self.expect("rows left", [row["uuid"] for row in rows if not row["deleted"]], [])
        region_ids = [row["fpga_device"] for row in rows if row["fpga_device"]]
        self.expect("regions named by deleted rows", region_ids, [])
        names = [server.name for server in servers if self.admin.allocations_of(server.id)]
        self.expect("allocations left", names, [])


def as_user(cloud: Cloud) -> Cloud:
    """The demo cloud as its ordinary user."""
    return Cloud(cloud.folder, "openrc-demo")


def _clear(cloud: Cloud) -> None:
    cloud.delete(*(server.id for server in cloud.api.compute.servers() if server.name in NAMES))
    network = cloud.api.network
    for address in network.ips(description=MARK):
        network.delete_ip(address)
    for rule in network.security_group_rules(description=MARK):
        network.delete_security_group_rule(rule)


def walk(cloud: Cloud, out: typing.TextIO = sys.stdout) -> dict[str, float]:
    """Go through the whole scenario; whatever happens, no server of it is left.

    :returns: seconds that the steps took
    :raises CloudError: a step did not give what it should
    """
    steps = Walk(cloud, out)
    servers: list[typing.Any] = []
    user = steps.cloud
    _clear(user)
    try:
        steps.say("\n== No region is used; the user `demo` of the project `demo` looks around")
        steps.status("0/2")
        steps.available(2)
        steps.say(f"  the same as a page: {steps.api.get_endpoint()}/ui/")
        steps.say("\n== One container with an FPGA region")
        servers.append(steps.boot("dcr1", "fpga-lzo"))
        steps.status("1/2")
        python = cloud.folder / "venv" / "regions" / "bin" / "python"
        expand = functools.partial(expand_lzo, python=python)
        steps.use(
            servers[0],
            "lzo1x_compress, a function written in software; no bitstream, nothing is simulated",
            expand,
        )
        steps.agree(servers[0], "fpga-lzo")
        steps.say(
            "\n== An ordinary server on the same host, which uses the other's region over TCP"
        )
        servers.append(steps.boot("plain", "small"))
        steps.status("1/2")
        steps.available(1)
        steps.reach(servers[0], servers[1], expand)
        steps.say("\n== A second one, with a real bitstream, simulated: all regions are used")
        servers.append(steps.boot("dcr2", "fpga-packbits"))
        steps.status("2/2")
        steps.use(
            servers[-1],
            "packbits, a bitstream for a Lattice iCE40 HX8K; its netlist is simulated",
            expand_packbits,
        )
        steps.agree(servers[-1], "fpga-packbits")
        steps.say("\n== A third one: no region is left")
        log_size = len(cloud.log("nova-scheduler"))
        steps.refused(log_size)
        servers.append(user.api.compute.find_server("dcr3"))
        steps.status("2/2")
        steps.say("\n== Delete them all")
        steps.leave_nothing(servers)
        others: list[typing.Any] = []
        scenario_programs.walk(steps, others, expand, expand_packbits)
        steps.say("\n== Delete them all")
        steps.leave_nothing(others)
    finally:
        _clear(user)
    return steps.figures


def main() -> int:
    """Command line; exit status 0 if every step gave what it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo_dir", type=Path, help="the cloud's folder (DEMO_DIR)")
    parser.add_argument("--figures", type=Path, help="write the figures to this file, as JSON")
    arguments = parser.parse_args()
    cloud = Cloud(arguments.demo_dir)
    try:
        steps = Walk(cloud)
        with scenario_live.around(steps):
            figures = walk(cloud)
        with scenario_functions.uploaded(steps):
            # It starts nova-compute anew, which looks for bitstreams then.
            scenario_opencl.walk(steps)
            scenario_functions.walk(steps)
        figures |= steps.figures
    except CloudError as e:
        print(f"Error: the demo stopped - {e}", file=sys.stderr)
        return 1
    print("\n== Figures (seconds)")
    for name, seconds in figures.items():
        print(f"  {name:<32} {seconds:6.2f}")
    if arguments.figures:
        arguments.figures.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
