# SPDX-License-Identifier: Apache-2.0
"""A clone of a server with a region has a region of its own."""

import contextlib
import json
import os
import pathlib
import signal

from tests.functional import test_hooks
from tests.functional.novadocker.live import live_cloud, live_engine
from tests.functional.novadocker.live.conftest import LOOP
from tests.support import bitstreams
from tests.support.host import wait_until

#: Where a server has the socket of its region.
_NODE = "/dev/fpga0"
#: Is always connected to its region, which has read a part of a request and waits for the rest.
_CONNECTED = (
    "mkfifo /tmp/in; exec 3<>/tmp/in; echo hello >&3; "
    f"(while :; do fpga-client {_NODE} <&3; echo lost >> /tmp/lost; done) & {LOOP}"
)


def _sockets(process):
    """The sockets that a process has."""
    found = set()
    for file in pathlib.Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(file.readlink()))
    return {link for link in found if link.startswith("socket:")}


def _sockets_here():
    """The sockets of the host's network: Linux lists those of a server where its client is."""
    lines = pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]
    return {f"socket:[{line.split()[6]}]" for line in lines}


class RegionsTestCase(live_cloud.LiveCloudTestCase, test_hooks.HooksTestCase):
    """A host with two emulated regions, whose servers become live images."""

    def configure(self):
        super().configure()
        self.bitstream = self.image
        found = live_engine.prepare(self.dockerd, self.criu, fpga_cli=self.host.wrapper())
        self.live = found[0]

    def setUp(self):
        super().setUp()
        self.flavor = self.fpga_flavor(self.bitstream)

    def node(self, server):
        """The inode of the socket that a server has, and of that of its region."""
        (node,) = self.regions()[server["id"]]["nodes"]
        command = ["stat", "-c", "%i", _NODE]
        seen = self.container(server).exec_run(command).output
        return int(seen), pathlib.Path(node["path"]).stat().st_ino

    def use(self, server):
        """What its region answers to a server."""
        command = ["sh", "-c", f"head -c 3000 /dev/zero | fpga-client {_NODE}"]
        status, output = self.container(server).exec_run(command)
        self.assertEqual(0, status, output)
        return output


class RegionsOfClones(RegionsTestCase):
    """Servers that use their regions now and then."""

    def test_each_has_its_own_and_gives_it_back(self):
        source = self.start(image=self.warm, flavor=self.flavor)
        answer, word = self.use(source), self.word(source)
        clone = self.start(image=self.bless(source), flavor=self.flavor)
        self.assertEqual(word, self.word(clone))
        nodes = [self.node(server) for server in (source, clone)]
        self.assertEqual([seen for seen, _own in nodes], [own for _seen, own in nodes])
        self.assertNotEqual(*nodes)
        self.assertEqual([answer, answer], [self.use(source), self.use(clone)])
        self.delete(source)
        self.assertEqual([clone["id"]], list(self.regions()))
        self.assertEqual(answer, self.use(clone))
        self.delete(clone)
        self.assertEqual({}, self.regions())

    def test_a_server_with_another_bitstream_is_refused_and_gives_its_region_back(self):
        source = self.start(image=self.warm, flavor=self.flavor)
        other = self.cloud.add(bitstreams.package("crc32"))
        image = self.bless(source)
        clone = self.start("ERROR", image=image, flavor=self.fpga_flavor(other))
        self.assertIn("of a server with another bitstream", self.fault(clone))
        self.assertEqual([source["id"]], list(self.regions()))


class ConnectedServers(RegionsTestCase):
    """Servers whose programs are connected to their regions when they are dumped."""

    def setUp(self):
        super().setUp()
        command = {"os_command_line": f'sh -c "{_CONNECTED}"'}
        image = self.upload(self.archive, properties=command)
        self.source = self.start(image=image, flavor=self.flavor)
        self.first = self.connected(self.source)

    def process(self, server):
        """The number of the process behind the region of a server."""
        region = self.regions()[server["id"]]["id"]
        return json.loads((self.host.state / "emulator" / region).read_text())["pid"]

    def connections(self, server):
        """The connections that containers have to the region of a server, by their inodes."""
        process = self.process(server)
        found = _sockets(process) - _sockets_here()
        # fpga-cli may have been connected between the two looks.
        return found & _sockets(process)

    def connected(self, server):
        """The connection that the region of a server has, once it has one."""
        wait_until(lambda: len(self.connections(server)) == 1)
        (found,) = self.connections(server)
        return found

    def lost(self, server):
        """How many connections the program of a server has lost, once it has lost one."""
        line = "until [ -s /tmp/lost ]; do sleep 0.1; done; wc -l < /tmp/lost"
        return int(self.container(server).exec_run(["sh", "-c", line]).output)

    def assert_goes_on(self):
        """The source answers, and is connected as it was."""
        self.assertEqual("ACTIVE", self.idle(self.source)["status"])
        word = self.word(self.source)
        self.container(self.source).exec_run(["rm", "/tmp/answer"])
        self.assertEqual(word, self.word(self.source))

    def test_source_and_clone_connect_again_each_to_its_own_region(self):
        answer, word = self.use(self.source), self.word(self.source)
        image = self.bless(self.source)
        clone = self.start(image=image, flavor=self.flavor)
        again, of_clone = self.connected(self.source), self.connected(clone)
        self.assertEqual(3, len({self.first, again, of_clone}))
        self.assertEqual([1, 1], [self.lost(server) for server in (self.source, clone)])
        self.assertEqual([word, word], [self.word(server) for server in (self.source, clone)])
        self.assertNotEqual(self.process(self.source), self.process(clone))
        self.assertEqual([answer, answer], [self.use(self.source), self.use(clone)])

    def test_a_server_connects_again_after_a_suspension(self):
        answer, word = self.use(self.source), self.word(self.source)
        self.api.post_server_action(self.source["id"], {"suspend": None})
        self._wait_for_state_change(self.source, "SUSPENDED")
        wait_until(lambda: not self.connections(self.source))
        self.api.post_server_action(self.source["id"], {"resume": None})
        self._wait_for_state_change(self.source, "ACTIVE")
        self.assertNotEqual(self.first, self.connected(self.source))
        self.assertEqual(1, self.lost(self.source))
        self.assertEqual((word, answer), (self.word(self.source), self.use(self.source)))

    def test_a_server_connects_again_after_it_was_shelved(self):
        self.flags(live_shelve=True, group="docker")
        self.flags(shelved_offload_time=0)
        word = self.word(self.source)
        self._shelve_server(self.source)
        self.assertEqual({}, self.regions())
        self._unshelve_server(self.source)
        self.assertNotEqual(self.first, self.connected(self.source))
        self.assertEqual((1, word), (self.lost(self.source), self.word(self.source)))

    def refused(self):
        """Why a live image of the source is refused; nothing is left of the attempt."""
        known = self.images()
        self.ask_to_bless(self.source)
        reason = self.reason(self.source)
        self.assertEqual(known, self.images())
        return reason

    def test_a_region_that_hangs_has_its_server_refused_and_go_on(self):
        process = self.process(self.source)
        os.kill(process, signal.SIGSTOP)
        try:
            reason = self.refused()
        finally:
            os.kill(process, signal.SIGCONT)
        self.assertIn("such as that of its FPGA region; close the", reason)
        self.assertIn("its connections cannot be closed: timed out", reason)
        self.assert_goes_on()

    def test_a_region_serves_on_if_the_dump_is_killed_once_it_has_closed_its_connections(self):
        found, _options = live_engine.prepare(self.dockerd, self.criu, fpga_cli=self.host.wrapper())
        runc = self.dockerd.live / "runc"
        runc.write_text(
            '#!/bin/sh\ncase " $* " in *" checkpoint "*) kill -KILL $PPID; exit 1;; esac\n'
            f'exec {found.runc} "$@"\n'
        )
        runc.chmod(0o755)
        file = self.dockerd.live / "live.toml"
        file.write_text(file.read_text().replace(f'"{found.runc}"', f'"{runc}"'))
        self.assertIn("exit -9", self.refused())
        self.assert_goes_on()
        self.assertNotEqual(self.first, self.connected(self.source))
        self.assertEqual(1, self.lost(self.source))

    def test_a_host_that_closes_no_connections_refuses_and_the_server_goes_on(self):
        live_engine.prepare(self.dockerd, self.criu)
        self.assertIn("such as that of its FPGA region; close the", self.refused())
        self.assert_goes_on()
        self.assertEqual(self.first, self.connected(self.source))
