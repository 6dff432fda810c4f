# SPDX-License-Identifier: Apache-2.0
"""The options of fpga-cli for regions, for the ledger and for packages."""

import re

from oslo_config import cfg

from fpga_regions.package.options import LIMITS

_MIB = 1024 * 1024

MAIN: list[cfg.Opt] = [
    cfg.ListOpt(
        "drivers",
        default=[],
        help="""
Drivers that program the regions of this host, by their names in the stevedore group
`fpga_regions.drivers`, in the order in which their regions are given out. If the list is empty,
this host has no FPGA. `emulator` simulates regions in software. Nothing is simulated unless the
list names it.
""",
    ),
    cfg.StrOpt(
        "state_dir",
        default="/var/lib/fpga-nova",
        help="""
Folder of the ledger, and of all that must survive a restart of the host. fpga-cli makes it if
necessary. It belongs to root, and nobody else can look inside.
""",
    ),
    cfg.StrOpt(
        "runtime_dir",
        default="/run/fpga-nova",
        help="Folder of sockets and other things that a restart of the host may remove.",
    ),
    cfg.StrOpt(
        "status_file",
        default="$runtime_dir/status.json",
        help="""
File in which fpga-cli publishes the status for programs that may not run fpga-cli. fpga-cli writes
it after each change and each look at the hardware. It makes the folder if necessary, which must be
root's. If this is empty, fpga-cli publishes nothing.
""",
    ),
    cfg.StrOpt(
        "status_group",
        help="""
Group that may read status_file: the one of nova-compute. Without a group, only root may read it.
""",
    ),
    cfg.IntOpt(
        "lock_timeout",
        default=60,
        min=0,
        help="Seconds to wait for a region on which another fpga-cli is at work.",
    ),
    cfg.IntOpt(
        "burn_timeout",
        default=540,
        min=1,
        help="""
Seconds that a burn may take in all. After them it is undone, and exits with 70. This must be less
than [fpga] timeout in nova.conf: then nova-compute gives no burn up that goes on.
""",
    ),
    cfg.IntOpt(
        "fetch_timeout",
        default=300,
        min=1,
        help="Seconds that the download of a bitstream image may take in all.",
    ),
    cfg.IntOpt(
        "program_timeout",
        default=60,
        min=1,
        help="Seconds that programming a region, and reading it back, may take.",
    ),
    cfg.IntOpt(
        "clear_timeout",
        default=10,
        min=1,
        help="Seconds that erasing a region may take before it goes into quarantine.",
    ),
    cfg.BoolOpt(
        "warm",
        default=False,
        help="""
Whether an erased region keeps its configuration, if its driver can reset that to its initial state.
The next burn of the same bitstream then gets the region without programming. docs/threat-model.md
says why this is off by default.
""",
    ),
    cfg.IntOpt(
        "prepare_interval",
        default=10,
        min=0,
        help="""
Seconds between two looks of the region manager at Glance, for bitstream images to prepare. It looks
only if a driver prepares them, as `emulator` does. If it is 0, nothing is prepared.
""",
    ),
    cfg.IntOpt(
        "ledger_timeout",
        default=10,
        min=0,
        help="Seconds to wait for the ledger while other processes write it.",
    ),
    cfg.IntOpt(
        "events_kept",
        default=1000,
        min=1,
        help="""
How many events of each region stay in the ledger; the oldest are removed first. `erase` with a
region and an owner looks here whether the owner ever had the region.
""",
    ),
    cfg.IntOpt(
        "program_retries",
        default=8,
        min=0,
        max=100,
        help="""
How many times fpga-cli tries again after programming failed. If one load in ten fails at random,
nine tries fail in one burn of a billion.
""",
    ),
    cfg.FloatOpt(
        "program_retry_pause",
        default=1.0,
        min=0,
        max=3600,
        help="""
Seconds between a failure of programming and the next try, at most. The first pause is an eighth of
it, and each further one twice as long.
""",
    ),
]

PACKAGES: list[cfg.Opt] = [
    *LIMITS,
    cfg.IntOpt(
        "cache_size",
        default=1024 * _MIB,
        min=0,
        help="""
Bytes that downloaded packages in the folder `cache` of state_dir may have together. The packages
that were not used for longest are removed first. Their unpacked files, in the folder `unpacked`,
may have as many bytes again. 0 keeps none. fpga-cli asks Glance for the image
at each burn in any case, so that a deleted or deactivated image cannot be burnt.
""",
    ),
    cfg.StrOpt(
        "require_signature",
        default="none",
        choices=[
            ("none", "fpga-cli ignores signatures."),
            ("package", "A key in package_keys must have signed manifest.json."),
            ("glance", "A key in image_certificates must have signed the image in Glance."),
            ("any", "One of the two."),
        ],
        help="Which signature a package must have to be burnt.",
    ),
    cfg.ListOpt(
        "package_keys",
        default=[],
        help="""
PEM files of the Ed25519 public keys that may sign packages. `openssl pkey -in KEY -pubout` writes
one.
""",
    ),
    cfg.ListOpt(
        "image_certificates",
        default=[],
        help="""
PEM files of the X.509 certificates whose keys may sign images in Glance (properties img_signature,
img_signature_hash_method, img_signature_key_type; RSA-PSS and elliptic curves). fpga-cli trusts
each certificate by itself while it is valid, and follows no chain. It ignores
img_signature_certificate_uuid. `castellan:ID` names a certificate in a key manager, which fpga-cli
asks at each burn that programs something. That needs fpga-nova[castellan], and castellan's groups
(`key_manager`, `barbican`, `vault`) in this file.
""",
    ),
    cfg.ListOpt(
        "allowed_digests",
        item_type=cfg.types.String(regex=re.compile(r"^sha256:[0-9a-f]{64}$")),
        default=[],
        help="""
Digests of the bitfiles that may be burnt, as `status --format json` and `image validate` print them
(sha256:...). If the list is empty, any bitfile may be burnt.
""",
    ),
]
