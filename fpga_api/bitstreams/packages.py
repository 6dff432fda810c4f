# SPDX-License-Identifier: Apache-2.0
"""Takes a package from a request into a file, and has it read by a process of its own."""

import contextlib
import hashlib
import json
import tempfile
import threading
import typing

from oslo_config import cfg

from fpga_api import errors
from fpga_nova.deadline import Deadline
from fpga_regions import errors as region_errors
from fpga_regions.package import reader

#: Packages that one process reads at a time: each takes memory for its largest bitfile.
_AT_A_TIME = threading.BoundedSemaphore(2)


class Checked(typing.NamedTuple):
    """A package that was found valid.

    :ivar file: the package itself
    :ivar manifest_text: its manifest
    :ivar manifest: the same, parsed
    :ivar digest: of its bitfile, `sha256:` and hexadecimal digits
    """

    file: typing.BinaryIO
    manifest_text: str
    manifest: dict[str, typing.Any]
    digest: str


@contextlib.contextmanager
def checked(conf: cfg.ConfigOpts, chunks: typing.Iterable[bytes]) -> typing.Iterator[Checked]:
    """The package in a body; its file is gone at the end of the block.

    :raises errors.BadPackage: it is not valid
    :raises errors.TooSlow: it did not arrive in time
    :raises errors.ReaderUnavailable: it cannot be kept or read here
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile(dir=conf.fpga_api.upload_folder))
        except OSError as e:
            raise errors.ReaderUnavailable(f"there is no room for uploads: {e.strerror}") from e
        _take(file, chunks, Deadline(conf.fpga_api.body_timeout))
        yield check(conf, file)


def check(conf: cfg.ConfigOpts, file: typing.BinaryIO) -> Checked:
    """The package in a file.

    :raises errors.BadPackage: it is not valid
    :raises errors.ReaderUnavailable: it cannot be read here
    """
    try:
        with _AT_A_TIME:
            package = reader.read_confined(file, reader.Limits.of(conf))
    except region_errors.BadPackage as e:
        raise errors.BadPackage(f"the package is not valid: {e.why}") from e
    except region_errors.RegionError as e:
        raise errors.ReaderUnavailable(f"the package was not read: {e.why}") from e
    text = package.manifest_text.decode()
    file.seek(0)
    return Checked(file, text, json.loads(text), package.digest)


def sha512(file: typing.BinaryIO) -> str:
    """The digest that Glance makes of a file."""
    file.seek(0)
    digest = hashlib.sha512()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _take(file: typing.BinaryIO, chunks: typing.Iterable[bytes], deadline: Deadline) -> None:
    for chunk in chunks:
        if deadline.passed:
            raise errors.TooSlow(f"the body did not arrive within {deadline.seconds:g} seconds")
        try:
            file.write(chunk)
        except OSError as e:
            raise errors.ReaderUnavailable(f"there is no room for the upload: {e.strerror}") from e
    file.seek(0)
