# SPDX-License-Identifier: Apache-2.0
"""How long the source of a live image stands still."""

import itertools
import logging
import re
import time

#: Bytes of noise in memory, and the seconds that Nova's user may miss of the server (issue 17).
_SIZE, _MOST = 200_000_000, 5.0
#: tail keeps what it has read until its input ends. The loop notes the time ten times a second.
_COMMAND = (
    f"(head -c {_SIZE} /dev/urandom; touch /tmp/warm; sleep 9999) | tail -c {_SIZE} > /dev/null & "
    "while :; do cat /proc/uptime >> /tmp/ticks; sleep 0.1; done"
)


def test_a_source_of_200_mb_stands_still_for_seconds(blesser, servers, caplog):
    source = blesser.warm(_COMMAND, memory=512)
    while servers.run(source, "ls /tmp/warm")[0]:
        time.sleep(0.2)
    time.sleep(1)
    with caplog.at_level(logging.INFO):
        blesser.bless(source)
    ticks = [float(tick) for tick in servers.run(source, "cut -d ' ' -f 1 /tmp/ticks")[1].split()]
    gap = max(b - a for a, b in itertools.pairwise(ticks))
    stood = re.search(r"stood still for ([0-9.]+) s", caplog.text)[1]
    print(f"{gap:.2f} s by the server's clock, {stood} s by nova-compute's", caplog.text)
    assert gap < _MOST
