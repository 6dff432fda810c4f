# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga`` on the demo cloud."""

import json
import time
import typing

from cloud import Cloud

#: Seconds until the engine has seen a change; it looks every 15, and calls nothing stale before 45.
SEEN_WITHIN = 120


class Fpga:
    """``openstack fpga`` as somebody.

    :ivar cloud: the demo cloud with the credentials of that somebody
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def __call__(self, *words: str) -> typing.Any:
        """Run a command; its answer.

        :raises CloudError: it was refused
        """
        done = self.cloud.run("openstack", "fpga", *words, "-f", "json")
        return json.loads(done.stdout)

    def free(self, flavor: str) -> int | None:
        """How many servers of a flavor it says that can be booted."""
        found = {one["Flavor"]: one["Free"] for one in self("availability", "list")}
        return typing.cast(int | None, found.get(flavor))


def wait(question: typing.Callable[[], typing.Any], expected: typing.Any) -> None:
    """Wait until a question is answered as expected.

    :raises AssertionError: it is not in time
    """
    end = time.monotonic() + SEEN_WITHIN
    while (found := question()) != expected and time.monotonic() < end:
        time.sleep(1)
    assert found == expected
