# SPDX-License-Identifier: Apache-2.0
"""Digests of fetched images, under the threads that a release of Nova has."""

import pathlib
import subprocess
import sys

_CODE = """
import eventlet
eventlet.monkey_patch()
import hashlib, pathlib, sys
from novadocker import images

counts = []

def count():
    while True:
        counts.append(1)
        eventlet.sleep(0)

digest = hashlib.sha512(bytes(64 << 20)).hexdigest()
eventlet.spawn(count)
path = pathlib.Path(sys.argv[1])
images.verify(path, "id", {"os_hash_algo": "sha512", "os_hash_value": digest})
print(len(counts))
"""


def test_green_threads_go_on_while_a_digest_is_computed(tmp_path: pathlib.Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(64 << 20))
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CODE, str(image)],
        cwd=pathlib.Path(__file__).parents[3],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(result.stdout) >= 64
