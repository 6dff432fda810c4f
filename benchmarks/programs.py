#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs of a running server beside burns, and claims beside Cyborg's accelerator requests.

On the host of a demo cloud. All take turns, so that a drift of the machine's speed falls on all.

* `program`: from the request to the service until the answer that it is done, of a server that
  runs; in turns of two bitstreams, so that each one takes the place of the other.
* `burn`: `fpga-cli.py burn` of the same bitstreams in another region.
* `slow program`, `slow burn`: the same on the fake driver's regions, where a burn takes a second in
  all, as one of a large card does. The emulator's hardware takes a sixth of that.
* `claim`, `release`: from the request until the region is there, and until it is given back.
* `ARQ`, `unbind`: Cyborg's accelerator request created and bound, and deleted. Cyborg leaves the
  allocation in Placement to Nova, and its fake driver programs nothing; a claim has the allocation
  and the host's record in it.

It fails where a program takes more of a burn's time than it may, on either. Cyborg is installed for
this and removed at the end. Run it as root with the Python of the cloud.
"""

import argparse
import collections
import contextlib
import signal
import sys
import time
import typing
import uuid
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[1:1] = [str(CHECKOUT), str(CHECKOUT / "build_scripts")]

import cyborg_services  # noqa: E402
import figures  # noqa: E402
from cloud import Cloud  # noqa: E402
from fake_card import FakeCard  # noqa: E402
from keystoneauth1 import adapter  # noqa: E402

NAME = "bench-programs"
#: The demo's flavor whose bitstream is in the server's region at first, and both bitstreams.
_FLAVOR = "fpga-packbits"
_BITSTREAMS = ("lzo_compression", "packbits")
#: A program may take so much of a burn's time.
LIMIT = 1.3
#: Seconds of a whole burn of the slow ones.
SLOW = 1.0

_PAUSE = 0.02  # seconds between two looks
_PATIENCE = 120  # seconds

Document = dict[str, typing.Any]


class Rest:
    """A REST API of the cloud."""

    def __init__(self, api: adapter.Adapter) -> None:
        self._api = api

    def __call__(self, method: str, path: str, body: typing.Any = None) -> Document:
        answer = self._api.request(path, method, json=body)
        return typing.cast(Document, answer.json() if answer.content else {})

    def until(self, path: str, look: typing.Callable[[Document], bool]) -> Document:
        """Ask until an answer is as it has to be."""
        end = time.monotonic() + _PATIENCE
        while not look(found := self("GET", path)):
            if time.monotonic() > end:
                raise SystemExit(f"Error: {path} is {found} after {_PATIENCE} s")
            time.sleep(_PAUSE)
        return found


class Server:
    """A server with a region, beside which there is a free one of the same kind.

    :param flavor: has a bitstream for its region
    :param images: two bitstreams, one of them the flavor's, that take turns in both regions
    :param cleanup: takes it away
    """

    def __init__(
        self, cloud: Cloud, flavor: str, images: list[str], cleanup: contextlib.ExitStack
    ) -> None:
        self._cloud, self._images = cloud, images
        self._fpga = Rest(adapter.Adapter(cloud.api.session, service_type="fpga"))
        self._owner = str(uuid.uuid4())
        server = cloud.boot(f"{NAME}-{flavor}", flavor)
        cleanup.callback(cloud.delete, server.id)
        if server.status != "ACTIVE":
            raise SystemExit(f"Error: the boot failed - {cloud.fault(server.id)}")
        self.id = server.id
        cleanup.callback(self.erase)

    def program(self, number: int) -> None:
        """Program the server's region."""
        body = {"bitstream": self._images[number % 2]}
        program = self._fpga("POST", f"/v1/servers/{self.id}/programs", body)["program"]
        busy = ("requested", "running")
        if program["state"] in busy:
            path = f"/v1/programs/{program['id']}"
            program = self._fpga.until(path, lambda found: found["program"]["state"] not in busy)[
                "program"
            ]
        if program["state"] != "done":
            raise SystemExit(f"Error: the program failed - {program}")

    def burn(self, number: int) -> None:
        """Burn the free region."""
        image = self._images[number % 2]
        self._cloud.run("fpga-cli.py", "burn", image, "--owner", self._owner)

    def erase(self) -> None:
        """Free the region that was burnt."""
        self._cloud.run("fpga-cli.py", "erase", "--owner", self._owner)


class Stage:
    """A server on the emulator, a server on the fake card, and Cyborg beside them.

    :param cleanup: takes all of it away
    """

    def __init__(self, cloud: Cloud, cleanup: contextlib.ExitStack) -> None:
        images = [cloud.api.image.find_image(name).id for name in _BITSTREAMS]
        self._host = next(iter(cloud.api.compute.services(binary="nova-compute"))).host
        cyborg = cyborg_services.Cyborg(cloud, self._host)
        cyborg.remove()
        # It remembers the card's provider, and would fail to boot without it.
        cleanup.callback(cloud.start, "nova-compute")
        cleanup.callback(cyborg.remove)
        cleanup.callback(cloud.stop, "nova-compute")
        cyborg.start()
        card = FakeCard(cloud, 2, NAME, cleanup)
        slow = [card.image(), card.image()]
        card.program_for(SLOW - card.burn_seconds(slow[0]))
        self.server = Server(cloud, _FLAVOR, images, cleanup)
        self.slow = Server(cloud, card.flavor(slow[0]), slow, cleanup)
        self._fpga = Rest(adapter.Adapter(cloud.api.session, service_type="fpga"))
        self._cyborg = Rest(cyborg.adapter())
        (provider,) = cyborg.providers()
        self._provider = provider["uuid"]
        self._claim = self._request = ""

    def claim(self) -> None:
        """Claim the free region."""
        self._claim = self._fpga("POST", "/v1/claims", {"ttl": 600})["claim"]["id"]
        self._until_claim_is("active")

    def release(self) -> None:
        """Give it back."""
        self._fpga("DELETE", f"/v1/claims/{self._claim}")
        self._until_claim_is("released")

    def _until_claim_is(self, state: str) -> None:
        ends = (state, "failed", "expired")
        path = f"/v1/claims/{self._claim}"
        found = self._fpga.until(path, lambda answer: answer["claim"]["state"] in ends)
        if found["claim"]["state"] != state:
            raise SystemExit(f"Error: the claim is not {state} - {found}")

    def bind(self) -> None:
        """Create an accelerator request of Cyborg's for the server, and have it bound."""
        body = {"device_profile_name": cyborg_services.PROFILE}
        (request,) = self._cyborg("POST", "/accelerator_requests", body)["arqs"]
        self._request = request["uuid"]
        values = {
            "hostname": self._host,
            "device_rp_uuid": self._provider,
            "instance_uuid": self.server.id,
        }
        patch = [{"path": f"/{k}", "op": "add", "value": v} for k, v in values.items()]
        self._cyborg("PATCH", "/accelerator_requests", {self._request: patch})
        self._cyborg.until(
            f"/accelerator_requests/{self._request}", lambda found: found["state"] == "Bound"
        )

    def unbind(self) -> None:
        """Delete it."""
        self._cyborg("DELETE", f"/accelerator_requests?arqs={self._request}")


def measure(stage: Stage, turns: int) -> dict[str, figures.Times]:
    """The times of each."""
    times: dict[str, figures.Times] = collections.defaultdict(figures.Times)
    for turn in range(turns + 2):  # both bitstreams warm up
        steps: dict[str, typing.Callable[[], None]] = {
            "program": lambda number=turn: stage.server.program(number),
            "burn": lambda number=turn: stage.server.burn(number),
            "erase": stage.server.erase,
            "slow program": lambda number=turn: stage.slow.program(number),
            "slow burn": lambda number=turn: stage.slow.burn(number),
            "slow erase": stage.slow.erase,
            "claim": stage.claim,
            "release": stage.release,
            "ARQ": stage.bind,
            "unbind": stage.unbind,
        }
        for name, step in steps.items():
            with times[name].one() if turn > 1 else contextlib.nullcontext():
                step()
    return times


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo_dir", type=Path)
    parser.add_argument("-n", type=int, default=30, help="times of each (default: 30)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # As an interrupt does, it undoes everything first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Error: terminated"))
    with contextlib.ExitStack() as cleanup:
        times = measure(Stage(Cloud(arguments.demo_dir), cleanup), arguments.n)
    rows: dict[str, typing.Any] = {name: one.summary() for name, one in times.items()}
    for kind in ("", "slow "):
        name = f"{kind}program of {kind}burn"
        found = figures.ratio(times[f"{kind}program"].median, times[f"{kind}burn"].median)
        rows[name] = {"ratio": found} | figures.at_most(found, LIMIT)
    pairs = {"claim of ARQ": ("claim", "ARQ"), "release of unbind": ("release", "unbind")}
    for name, (ours, theirs) in pairs.items():
        rows[name] = {"ratio": figures.ratio(times[ours].median, times[theirs].median)}
    figures.report(rows, arguments.json, unit="ms", n=arguments.n)
    figures.require(rows)


if __name__ == "__main__":
    main()
