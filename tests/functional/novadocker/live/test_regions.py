# SPDX-License-Identifier: Apache-2.0
"""A clone of a server with a region has a region of its own."""

import pathlib

from tests.functional import test_hooks
from tests.functional.novadocker.live import live_cloud
from tests.functional.novadocker.live.conftest import LOOP
from tests.support import bitstreams

#: Where a server has the socket of its region.
_NODE = "/dev/fpga0"


class RegionsOfClones(live_cloud.LiveCloudTestCase, test_hooks.HooksTestCase):
    """A host with two emulated regions, whose servers become live images."""

    def configure(self):
        super().configure()
        self.bitstream = self.image

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

    def test_a_server_that_is_connected_to_its_region_is_refused_and_goes_on(self):
        line = f"(sleep 9995 | fpga-client {_NODE}) & {LOOP}"
        image = self.upload(self.archive, properties={"os_command_line": f'sh -c "{line}"'})
        source = self.start(image=image, flavor=self.flavor)
        # Nothing else is connected in its network (proc_net_unix(5)).
        connected = "until grep -q ' 0001 03 ' /proc/net/unix; do sleep 0.1; done"
        self.assertEqual(0, self.container(source).exec_run(["sh", "-c", connected]).exit_code)
        known = self.images()
        self.ask_to_bless(source)
        self.assertIn("such as that of its FPGA region; close the", self.reason(source))
        self.assertEqual("ACTIVE", self.idle(source)["status"])
        self.assertEqual(known, self.images())
        word = self.word(source)
        self.container(source).exec_run(["rm", "/tmp/answer"])
        self.assertEqual(word, self.word(source))
