# SPDX-License-Identifier: Apache-2.0
"""What the engine unpacks into a container for the server's key."""

import io
import tarfile

from novadocker import authorized_keys


def _entries(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(m.name, m.mode, m.uid, m.gid, m.isdir()) for m in tar.getmembers()]


def test_the_file_is_roots_and_open_to_read():
    data = authorized_keys.archive(["keys"], b"ssh-rsa A\n")
    assert _entries(data) == [("keys", 0o644, 0, 0, False)]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.extractfile("keys").read() == b"ssh-rsa A\n"


def test_a_folder_that_is_missing_comes_before_the_file():
    data = authorized_keys.archive([".ssh", ".ssh/keys"], b"")
    assert _entries(data) == [
        (".ssh", 0o755, 0, 0, True),
        (".ssh/keys", 0o644, 0, 0, False),
    ]
