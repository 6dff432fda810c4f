# SPDX-License-Identifier: Apache-2.0
"""A region whose nodes a guest has goes to nobody else: the real fpga-cli, cards behind a program.

The card's program is the only thing that is not real: it stands where hardware would be, and each
test has it fail as hardware does.
"""

import os
import pathlib
import stat
import time

import fixtures

from fpga_hooks import calls
from fpga_hooks.instance import devices, guests
from fpga_hooks.instance.guests import Guest
from tests.functional.test_hooks import HooksTestCase
from tests.support import bitstreams

#: A card with two regions. `refuse` has burn and erase fail, `mute` all but the first status.
CARD = """#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> calls
if [ -e mute ]; then
    [ "$1" = status ] || { echo busy >&2; exit 1; }
    echo >> asked.$PPID
    [ "$(wc -l < asked.$PPID)" = 1 ] || { echo busy >&2; exit 1; }
fi
case $1 in
status) set -- r[0-9]; [ -e "$1" ] || shift; echo "Used regions: $#/2" ;;
burn) [ ! -e refuse ] || exit 1; touch "r$2"; echo "r$2" ;;
erase) [ ! -e refuse ] || exit 1; rm -f "r$2" ;;
esac
"""


class Machine:
    """The guests of the host, each with the nodes that its instance got."""

    def __init__(self) -> None:
        self.found: list[Guest] = []
        self.stopped: list[str] = []

    def run(self, server, nodes) -> None:
        numbers = {(path, number) for path in nodes if (number := guests.number_of(path))}
        self.found.append(Guest(server, server, True, frozenset(nodes), frozenset(numbers)))

    def guests(self) -> list[Guest]:
        return self.found

    def stop(self, guest: Guest) -> None:
        self.stopped.append(guest.name)
        self.found.remove(guest)


class HandedOut(HooksTestCase):
    """A host whose card has two regions, each with a device node."""

    def configure(self):
        super().configure()
        self.card = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.program = self.card / "card.sh"
        self.program.write_text(CARD)
        self.program.chmod(0o755)
        self.number(0, 5)
        self.number(1, 8)
        self.host.configure(
            drivers="command",
            program_retries=0,
            command__cards="card0",
            **{
                "command:card0__exec": self.program,
                "command:card0__board": "emulator",
                "command:card0__part": "software",
                "command:card0__nodes": f"char:{self.card}/fpga{{index}}",
                "command:card0__burn": "burn {index}",
                "command:card0__erase": "erase {index}",
            },
        )
        self.image = self.cloud.add(
            bitstreams.package(exposes=[{"kind": "char", "name": "/dev/fpga0"}])
        )
        self.flavor = None
        self.machine = Machine()
        guests.machine.register(self.machine)

    def number(self, index, minor):
        """Have a region's node be this device of the kernel's: 1:5 is zero, 1:8 random."""
        path = self.card / f"fpga{index}"
        path.unlink(missing_ok=True)
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, minor))

    def server(self):
        """A server whose guest runs with its region's nodes; its uuid and those nodes."""
        self.flavor = self.flavor or self.fpga_flavor(self.image)
        server = self.boot(self.flavor)
        nodes = self.nodes(server["id"])
        self.machine.run(server["id"], nodes)
        return server["id"], nodes

    def nodes(self, server):
        instance = self.instance({"id": server})
        return frozenset(device.host_path for device in devices.for_instance(instance))

    @property
    def auditor(self):
        return next(hook.obj.auditor for hook in calls._hooks() if hasattr(hook.obj, "auditor"))

    def one_audit(self):
        """An audit that no pause after a failure keeps from anything."""
        self.auditor.reconciler._retries._pauses.clear()
        self.audit()

    def region(self, server):
        (region,) = [r for r in self.host.status()["regions"] if r["owner"] == server]
        return region

    def test_region_that_cannot_be_burnt_again_is_never_offered_while_its_guest_lives(self):
        server, nodes = self.server()
        (self.card / "r0").unlink()
        (self.card / "refuse").touch()
        self.one_audit()
        region = self.region(server)
        self.assertEqual(("quarantined", "erase"), (region["state"], region["quarantine"]))
        (self.card / "refuse").unlink()
        # Its own burn is in the pause after a failure, for up to an hour.
        pause = {f"{server} 1": (time.monotonic() + 3600, 3600.0)}
        self.auditor.reconciler._retries._pauses.update(pause)
        self.audit()
        _other, others = self.server()
        self.assertEqual(frozenset(), nodes & others)
        self.assertEqual("quarantined", self.region(server)["state"])
        self.one_audit()
        self.assertEqual("programmed", self.region(server)["state"])
        self.assertEqual(nodes, self.nodes(server))
        self.boot(self.flavor, state="ERROR")

    def test_region_in_quarantine_is_free_once_its_server_is_deleted(self):
        server, _ = self.server()
        (self.card / "r0").unlink()
        (self.card / "refuse").touch()
        self.one_audit()
        (self.card / "refuse").unlink()
        self.machine.found.clear()
        self.delete({"id": server})
        self.assertEqual(["free", "free"], self.host.states())

    def test_card_that_answers_discovery_and_nothing_else_changes_nothing(self):
        server, _ = self.server()
        before = self.region(server)
        (self.card / "calls").unlink()
        (self.card / "mute").touch()
        self.one_audit()
        (self.card / "mute").unlink()
        after = self.region(server)
        self.assertEqual(
            (before, True), ({**after, "healthy": before["healthy"]}, after["healthy"])
        )
        calls = (self.card / "calls").read_text().split()
        self.assertEqual({"status"}, set(calls))

    def test_region_of_a_guest_is_kept_though_its_host_has_another_name(self):
        server, _ = self.server()
        self.flags(host="renamed")
        self.auditor.audit()
        self.assertEqual("programmed", self.region(server)["state"])
        self.assertIn("is kept", self.log())

    def test_guest_with_the_number_of_anothers_node_is_stopped_before_anything_is_burnt(self):
        server, _ = self.server()
        self.number(0, 8)
        self.number(1, 5)
        (self.card / "r0").unlink()
        burns = []
        self.useFixture(
            fixtures.MonkeyPatch(
                "fpga_hooks.instance.cards.burn_one",
                lambda *a: burns.append(list(self.machine.stopped)) or self.region(server)["id"],
            )
        )
        self.one_audit()
        self.assertEqual([[server]], burns)

    def test_guest_whose_number_changes_by_the_burn_is_stopped_after_it(self):
        server, _ = self.server()
        (self.card / "fpga0").unlink()
        (self.card / "r0").unlink()
        self.program.write_text(
            CARD.replace('touch "r$2"', 'rm -f fpga0; mknod fpga0 c 1 8; touch "r$2"')
        )
        self.one_audit()
        self.assertEqual([server], self.machine.stopped)
        self.assertEqual((True, "programmed"), (self.region(server)["healthy"], "programmed"))
