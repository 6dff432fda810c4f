# SPDX-License-Identifier: Apache-2.0
"""What a server does to the host that dumps it."""

import pytest
import time


def test_forks(blesser, servers, glance):
    command = ("x=$(head -c 15000000 /dev/urandom | base64); i=0; "
      "while [ $i -lt 20 ]; do i=$((i+1)); (read y < /fifo) & done; "
      "mkfifo /fifo; echo ready > /tmp/ready; while :; do sleep 1; done")
    command = ("mkfifo /fifo; x=$(head -c 15000000 /dev/urandom | base64); i=0; "
      "while [ $i -lt 20 ]; do i=$((i+1)); (read y < /fifo; echo $x > /dev/null) & done; "
      "echo ready > /tmp/ready; while :; do sleep 1; done")
    source = blesser.warm(command, memory=128)
    while servers.run(source, "ls /tmp/ready")[0]:
        time.sleep(0.2)
    print(servers.run(source, "cat /sys/fs/cgroup/memory/memory.usage_in_bytes"))
    image = blesser.bless(source)
    print("ARCHIVE", len(glance.images[image][1]))
