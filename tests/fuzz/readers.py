#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives the readers of packages and manifests many inputs; anything but their own error is told.

    python -m tests.fuzz.readers --inputs 200000 [--seed N]

A reader may take an input or raise BadPackage with one printable line. What it takes must be what
it says: the manifest is read again to the same, and the bitfile has the digest that is signed.
"""

import argparse
import collections
import hashlib
import io
import re
import resource
import sys
import time
import typing
import warnings

import hypothesis
from hypothesis import strategies as st

from fpga_regions import errors
from fpga_regions.package import manifest
from fpga_regions.package import reader as package_reader
from tests.fuzz import inputs

LIMITS = package_reader.Limits(
    max_size=1 << 16,
    max_entries=8,
    max_unpacked_size=1 << 16,
    max_bitfile_size=1 << 15,
    max_manifest_size=4096,
    max_ratio=200,
)

_ROUND = 2500  # inputs that hypothesis thinks of, and remembers, at once
_VARIANTS = 20  # inputs that each of them stands for


def read_package(data: bytes) -> str:
    """Read a package; what became of it."""
    try:
        package = package_reader.read(io.BytesIO(data), LIMITS)
    except errors.BadPackage as e:
        return _refusal(e)
    if manifest.read(package.manifest_text) != package.manifest:
        raise AssertionError("the manifest is not the one in the package")
    if package.digest != f"sha256:{hashlib.sha256(package.bitfile).hexdigest()}":
        raise AssertionError("the bitfile has not the digest in the manifest")
    if len(package.bitfile) > LIMITS.max_bitfile_size:
        raise AssertionError("the bitfile is over its limit")
    return "taken"


def read_manifest(text: bytes) -> str:
    """Read a manifest; what became of it."""
    try:
        found = manifest.read(text)
    except errors.BadPackage as e:
        return _refusal(e)
    if not re.fullmatch(r"[0-9a-f]{64}", found.sha256) or ".." in found.bitfile.split("/"):
        raise AssertionError("a value that the schema forbids was taken")
    return "taken"


READERS: dict[str, tuple[typing.Callable[[bytes], str], st.SearchStrategy[bytes]]] = {
    "package": (read_package, inputs.PACKAGES),
    "manifest": (read_manifest, inputs.MANIFESTS),
}


def run(name: str, count: int, seed: int) -> collections.Counter[str]:
    """Give a reader so many inputs; how many came to what.

    :raises Exception: the first that is not the reader's own, with the smallest input for it
    """
    reader, strategy = READERS[name]
    outcomes: collections.Counter[str] = collections.Counter()
    while (remainder := count - outcomes.total()) > 0:
        _round(reader, strategy, min(-(-remainder // _VARIANTS), _ROUND), seed, outcomes)
        seed += 1
    return outcomes


def _round(
    reader: typing.Callable[[bytes], str],
    strategy: st.SearchStrategy[bytes],
    examples: int,
    seed: int,
    outcomes: collections.Counter[str],
) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def one(data: bytes) -> None:
        for variant in inputs.variants(data, _VARIANTS):
            outcomes[reader(variant)] += 1

    one()


def _refusal(error: errors.BadPackage) -> str:
    """What sort of refusal it is; its line is checked on the way."""
    line = error.line("it is not valid")
    if not line.isprintable() or len(line) > 600:
        raise AssertionError(f"not a line for a person: {line!r}") from error
    words = re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "_", error.why)
    return " ".join(words.split()[:5])


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=200_000, help="for all readers together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", choices=sorted(READERS), help="this one only")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = [options.reader] if options.reader else list(READERS)
    for name in names:
        start = time.monotonic()
        outcomes = run(name, options.inputs // len(names), options.seed)
        seconds = time.monotonic() - start
        total, taken = outcomes.total(), outcomes["taken"]
        print(
            f"{name}: {total} inputs in {seconds:.0f} s ({total / seconds:.0f}/s), {taken} taken, "
            f"{total - taken} refused in {len(outcomes) - 1} ways, no other error"
        )
        for what, number in outcomes.most_common(15):
            print(f"  {number:>8}  {what}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
