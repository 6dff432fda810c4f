#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A walk through live images: a server that took long to warm up, blessed once, launched twice."""

import argparse
import contextlib
import re
import sys
import time
import typing
from pathlib import Path

from cloud import Cloud, CloudError

if typing.TYPE_CHECKING:
    from scenario import Walk

#: Seconds that the program of the server takes to warm up.
WARM_UP = 10
#: Seconds within which a server and its image must be there.
WITHIN = 300
#: Seconds within which a nova-compute that has just started must have reported its host.
REPORTED_WITHIN = 30

#: Where the servers answer.
PORT = "9000"

#: What hosts with live images have in Placement.
TRAIT = "CUSTOM_LIVE_IMAGE"

#: What the walk makes.
SOURCE, CLONE = "warm", "clone"
IMAGES = ("fpga-nova-warm-up", "warm-live")

#: Warms up, remembers a word, and gives it and the host's name to whoever asks. The name is looked
#: up for each answer; the first answer of a clone was in the pipe when its source was blessed.
_COMMAND = (
    f'sh -c "sleep {WARM_UP}; word=$(cat /proc/sys/kernel/random/uuid); echo warm $(date +%s); '
    f'while :; do echo $word $(hostname) | nc -l -p {PORT}; done"'
)


class LiveWalk:
    """The steps of the walk.

    :param steps: prints them
    """

    def __init__(self, steps: "Walk") -> None:
        self._steps = steps
        self._cloud = steps.cloud
        self._begin = 0.0

    def refusal(self) -> str | None:
        """Why there are no live images; None if a host has them."""
        configuration = self._steps.admin.folder / "etc" / "nova" / "nova-compute.conf"
        if "live_images = True" not in configuration.read_text().splitlines():
            return "they are off, or 'make demo-up' has printed why the host cannot have them"
        query, end = f"/resource_providers?required={TRAIT}", time.monotonic() + REPORTED_WITHIN
        placement = self._steps.admin.api.placement
        while not placement.get(query, microversion="1.18").json()["resource_providers"]:
            if time.monotonic() > end:
                log = self._steps.admin.log("nova-compute").splitlines()
                reasons = [line for line in log if "This host has no live images" in line]
                return "; ".join(["no host has reported them", *reasons[-1:]])
            time.sleep(1)
        return None

    @contextlib.contextmanager
    def around(self) -> typing.Iterator[None]:
        """Have a server warm up during the body; then bless it and launch two of it.

        :raises CloudError: a step did not give what it should
        """
        start = time.monotonic()
        self.clear()
        try:
            self._boot()
            begin = time.monotonic()
            yield
            start += time.monotonic() - begin
            self._go()
        finally:
            self._steps.say("\n== Delete them, and discard the live image")
            self.clear()
        self._note("the part of live images", time.monotonic() - start)

    def _go(self) -> None:
        source = self._warm()
        word, name = self._ask(source, source)
        self._steps.expect("the server's own name", name, SOURCE)
        self._bless()
        for clone in self._launch():
            self._ask(source, clone)
            self._steps.expect(
                f"{clone.name} has the memory of {SOURCE}, and a name of its own",
                self._ask(source, clone),
                (word, clone.name),
            )
        self._steps.expect(f"{SOURCE} goes on", self._ask(source, source), (word, source.name))

    def clear(self) -> None:
        """Remove what the walk makes, or an interrupted one has left."""
        servers = self._cloud.api.compute.servers()
        names = (SOURCE, f"{CLONE}-1", f"{CLONE}-2")
        self._cloud.delete(*(server.id for server in servers if server.name in names))
        for image in self._cloud.api.image.images():
            if image.name in IMAGES:
                self._cloud.api.image.delete_image(image.id)

    def _boot(self) -> None:
        """Boot a server that warms up."""
        self._steps.say(f"\n== A server begins to warm up, for {WARM_UP} seconds")
        image, compute = self._cloud.api.image, self._cloud.api.compute
        plain = image.find_image("ubuntu_lzo", ignore_missing=False)
        cold = image.create_image(
            IMAGES[0],
            data=image.download_image(plain).content,
            container_format="docker",
            disk_format="raw",
            os_command_line=_COMMAND,
        )
        flavor = compute.find_flavor("small", ignore_missing=False)
        self._begin = time.time()
        compute.create_server(name=SOURCE, image_id=cold.id, flavor_id=flavor.id, networks="auto")

    def _warm(self) -> typing.Any:
        """The server, once its program has warmed up."""
        compute = self._cloud.api.compute
        server = self._cloud.wait(
            compute.find_server(SOURCE, ignore_missing=False).id, {"ACTIVE", "ERROR"}, WITHIN
        )
        if server.status == "ERROR":
            raise CloudError(f"{SOURCE}: {self._cloud.fault(server.id)}")
        end = time.monotonic() + WITHIN
        while not (found := re.search(r"^warm (\d+)", self._console(server), re.MULTILINE)):
            if time.monotonic() > end:
                raise CloudError(f"{SOURCE} is not warm after {WITHIN} s")
            time.sleep(0.2)
        self._steps.say(f"\n== {SOURCE} has warmed up meanwhile")
        self._note("cold start, until it is warm", int(found[1]) - self._begin)
        return server

    def _bless(self) -> None:
        self._steps.say("\n== The server is blessed: an image of its memory and its files")
        start = time.monotonic()
        words = ("live", "image", "create", SOURCE, "--name", IMAGES[1], "-f", "value", "-c", "id")
        created = self._steps.shell("openstack", *words)
        image = self._cloud.api.image
        while (found := image.find_image(created)) is None or found.status != "active":
            if found is None or time.monotonic() > start + WITHIN:
                # Nova removes the image where there is none, so that Glance knows no reason.
                log = self._steps.admin.log("nova-compute").splitlines()
                reasons = [line for line in log if "No snapshot was taken" in line]
                raise CloudError("; ".join([f"{SOURCE} is not blessed", *reasons[-1:]]))
            time.sleep(0.2)
        self._note("bless", time.monotonic() - start)

    def _launch(self) -> list[typing.Any]:
        """Two servers of the image."""
        self._steps.say("\n== Two servers are launched from its memory")
        start = time.monotonic()
        self._steps.shell("openstack", "live", "image", "launch", IMAGES[1], CLONE, "--count", "2")
        compute = self._cloud.api.compute
        servers = []
        for number in (1, 2):
            found = compute.find_server(f"{CLONE}-{number}", ignore_missing=False)
            server = self._cloud.wait(found.id, {"ACTIVE", "ERROR"}, WITHIN)
            self._note(f"launch, until {server.name} is {server.status}", time.monotonic() - start)
            if server.status == "ERROR":
                raise CloudError(f"{server.name}: {self._cloud.fault(server.id)}")
            servers.append(server)
        return servers

    def _ask(self, peer: typing.Any, server: typing.Any) -> tuple[str, str]:
        """The word and the name that a server gives to another one."""
        (address,) = self._cloud.addresses(server.id)
        command = ("docker", "exec", f"nova-{peer.id}", "nc", "-w", "5", address, PORT)
        for _ in range(WITHIN):
            words = self._cloud.run(*command, check=False).stdout.decode().split()
            if len(words) == 2:
                return words[0], words[1]
            time.sleep(1)
        raise CloudError(f"{server.name} does not answer at {address}")

    def _console(self, server: typing.Any) -> str:
        output = self._cloud.api.compute.get_server_console_output(server.id)["output"]
        return str(output or "")

    def _note(self, what: str, seconds: float) -> None:
        self._steps.figures[what] = round(seconds, 2)
        self._steps.say(f"  {what}: {seconds:.2f} s")


@contextlib.contextmanager
def around(steps: "Walk") -> typing.Iterator[None]:
    """Have a server warm up during the body, and go through live images then.

    Where no host has them, the reason is printed, and the body is all.

    :raises CloudError: a step did not give what it should
    """
    walk = LiveWalk(steps)
    reason = walk.refusal()
    if reason:
        steps.say(f"\n== Live images are skipped: {reason}")
        yield
        return
    with walk.around():
        yield


def main() -> int:
    """Command line; exit status 0 if every step gave what it should."""
    from scenario import Walk  # which has this walk as a part

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo_dir", type=Path, help="the cloud's folder (DEMO_DIR)")
    steps = Walk(Cloud(parser.parse_args().demo_dir))
    walk = LiveWalk(steps)
    try:
        if reason := walk.refusal():
            raise CloudError(f"no live images: {reason}; run 'make demo-up'")
        with walk.around():
            pass
    except CloudError as e:
        print(f"Error: the walk stopped - {e}", file=sys.stderr)
        return 1
    print("\n== Figures (seconds)")
    for name, seconds in steps.figures.items():
        print(f"  {name:<32} {seconds:6.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
