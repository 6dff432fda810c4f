# SPDX-License-Identifier: Apache-2.0
"""Has the image of a host in the engine, from a cached root."""

import collections.abc
import pathlib

from debian_roots import archive, builder

from local_hosts.engine import Engine
from local_hosts.image import HOST


def obtain(
    engine: Engine, roots: pathlib.Path, suite: str, say: collections.abc.Callable[[str], None]
) -> str:
    """The name of the image of a host with this Debian; it is made, unless it is there.

    :param roots: the cache, with a folder for each suite
    :raises subprocess.CalledProcessError: debootstrap, apt or tar failed
    """
    maker = builder.Builder(roots / suite, suite)
    digest = maker.digest(HOST)
    if name := engine.image(suite, digest):
        return name

    def write(tar: pathlib.Path) -> None:
        say(f"{suite}: making the root of the hosts, once, in {maker.folder}")
        archive.pack(maker.make(HOST), tar)

    with maker.file("host.tar", digest, write) as tar:
        say(f"{suite}: importing the image of the hosts")
        return engine.import_image(suite, digest, tar)
