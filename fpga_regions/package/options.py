# SPDX-License-Identifier: Apache-2.0
"""The options for the limits of a package."""

from oslo_config import cfg

_MIB = 1024 * 1024

LIMITS: list[cfg.Opt] = [
    cfg.IntOpt("max_size", default=256 * _MIB, min=1, help="Bytes that a package may have."),
    cfg.IntOpt("max_entries", default=64, min=1, help="Files that a package may hold."),
    cfg.IntOpt(
        "max_unpacked_size",
        default=512 * _MIB,
        min=1,
        help="Bytes that all files of a package may have together, unpacked.",
    ),
    cfg.IntOpt(
        "max_bitfile_size",
        default=256 * _MIB,
        min=1,
        help="Bytes that the bitfile may have, unpacked.",
    ),
    cfg.IntOpt(
        "max_manifest_size",
        default=64 * 1024,
        min=1,
        help="Bytes that manifest.json may have, unpacked.",
    ),
    cfg.IntOpt(
        "max_ratio",
        default=200,
        min=1,
        help="""
How many times larger a file may be unpacked than in the package. (Deflate reaches 1032 at most;
bitstreams with little in them are often above 50.)
""",
    ),
]
