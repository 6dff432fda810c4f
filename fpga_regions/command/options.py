# SPDX-License-Identifier: Apache-2.0
"""The options of fpga-cli, read from /etc/fpga-nova/fpga-cli.conf."""

import os
import re
import typing

from oslo_config import cfg, types

from fpga_regions import errors
from fpga_regions.drivers import settings

DEFAULT_FILE = "/etc/fpga-nova/fpga-cli.conf"

_MIB = 1024 * 1024

main_opts: list[cfg.Opt] = [
    cfg.ListOpt(
        "drivers",
        default=[],
        help="""
Drivers that program the regions of this host, by their names in the stevedore group
`fpga_regions.drivers`, in the order in which their regions are given out. If the list is empty,
this host has no FPGA. `emulator` simulates regions in software, and only if the list
names it.
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
        default=2,
        min=0,
        max=100,
        help="How many times fpga-cli tries again after programming failed.",
    ),
    cfg.FloatOpt(
        "program_retry_pause",
        default=1.0,
        min=0,
        max=3600,
        help="Seconds between a failure of programming and the next try.",
    ),
]

packages_opts: list[cfg.Opt] = [
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
    cfg.IntOpt(
        "cache_size",
        default=1024 * _MIB,
        min=0,
        help="""
Bytes that downloaded packages in the folder `cache` of state_dir may have together. The packages
that were not used for longest are removed first. 0 keeps none. fpga-cli asks Glance for the image
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

emulator_opts: list[cfg.Opt] = [
    cfg.IntOpt("cards", default=1, min=1, max=64, help="Emulated cards: emulator0, emulator1, ..."),
    cfg.IntOpt("regions", default=2, min=1, max=64, help="Regions of each emulated card."),
    settings.vendor_option(),
    cfg.ListOpt(
        "parts",
        default=["hx8k", "software"],
        item_type=types.String(choices=["hx1k", "hx8k", "software"]),
        deprecated_name="part",
        help="""
Parts that a region of an emulated card can be; the burnt package says which. `hx1k` and `hx8k` are
Lattice iCE40 devices, whose bitstreams are simulated; `software` serves a function that is a
program.
""",
    ),
    cfg.StrOpt(
        "engine",
        default="auto",
        choices=[
            (
                "auto",
                "Verilator if its model is in the cache, else Icarus; compiles for the next burn",
            ),
            ("icarus", "Icarus Verilog: programmed fast, runs slowly"),
            ("verilator", "Verilator: a first burn waits for the compiler, then it runs fast"),
        ],
        help="What simulates bitstreams. A region keeps its engine until it is erased.",
    ),
    cfg.IntOpt(
        "compile_timeout",
        default=300,
        min=1,
        help="""
Seconds that compiling a model may take, in the background or, with the engine `verilator`, in a
burn, beside its program_timeout.
""",
    ),
    cfg.IntOpt(
        "cache_size",
        default=256 * _MIB,
        min=0,
        help="Bytes of models in state_dir; those not used for longest are removed first.",
    ),
    cfg.IntOpt(
        "first_uid",
        default=2000000000,
        min=1,
        max=2147483647 - 4097,
        help="""
Number of the first user that handles foreign input for fpga-cli, if root runs it. This user
compiles, and each region has one of the following users. They need no entry in passwd and must
belong to nobody else.
""",
    ),
    cfg.StrOpt(
        "user",
        help="One user by name for all regions, instead of one for each from first_uid.",
    ),
    cfg.IntOpt(
        "cpu_percent",
        default=100,
        min=1,
        max=100,
        help="""
Percent of one processor that the processes behind a region may have together, by a control group.
If the host allows no control groups, it limits only the simulation of a bitstream.
""",
    ),
    cfg.IntOpt(
        "max_input",
        default=16 * _MIB,
        min=1,
        help="""
Bytes that a client may send to a region of part `software` at once. With a bitstream, it is the
bytes that a client may leave unread while it continues to send.
""",
    ),
    cfg.IntOpt(
        "max_clients",
        default=8,
        min=1,
        max=128,
        help="""
Clients that a region serves, or that wait for a simulated chip, at the same time. Others wait for a
connection.
""",
    ),
    cfg.IntOpt(
        "client_timeout",
        default=60,
        min=1,
        help="""
Seconds after which a region drops a client that neither sends nor reads, and the job of a chip that
neither takes nor gives.
""",
    ),
    cfg.IntOpt(
        "max_memory",
        default=1024 * _MIB,
        min=64 * _MIB,
        help="""
Bytes of memory that the processes behind a region may have together, by a control group. If the
host allows no control groups, it is the address space that each of them may have.
""",
    ),
]


def load(config_file: str | None, if_readable: bool = False) -> cfg.ConfigOpts:
    """Read the configuration.

    :param config_file: path of a file that must exist; None for the default one, which need not
    :param if_readable: do without the default one where it is not for the caller to read
    :raises errors.NotAccessible: the file cannot be read or has a value that cannot be used
    """
    conf = cfg.ConfigOpts()
    conf.register_opts(main_opts)
    conf.register_opts(packages_opts, "packages")
    conf.register_opts(emulator_opts, "emulator")
    arguments = ["--config-file", config_file] if config_file else []
    try:
        # Values from the environment are left out: it is the caller's, who may not be root.
        conf(
            args=arguments,
            project="fpga-nova",
            prog="fpga-cli",
            default_config_files=_default_files(if_readable),
            default_config_dirs=[],
            use_env=False,
        )
        _check(conf)
    except cfg.Error as e:
        raise errors.NotAccessible(f"the configuration cannot be used: {e}") from e
    return conf


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """All options by group, for oslo.config's sample generator."""
    from fpga_regions.drivers import command, fake, linux, opae, openfpgaloader, xrt
    from fpga_regions.image import glance

    return [
        (None, main_opts),
        ("packages", packages_opts),
        ("emulator", emulator_opts),
        (fake.GROUP, fake.OPTIONS),
        *(
            entry
            for driver in (command, linux, opae, openfpgaloader, xrt)
            for entry in (
                (driver.GROUP, driver.OPTIONS),
                (f"{driver.GROUP}:CARD", driver.CARD_OPTIONS),
            )
        ),
        (glance.GROUP, glance.list_options()),
    ]


def _default_files(if_readable: bool) -> list[str]:
    # oslo.config takes a default file that is not there for an error, too.
    mode = os.R_OK if if_readable else os.F_OK
    return [DEFAULT_FILE] if os.access(DEFAULT_FILE, mode) else []


def _check(conf: cfg.ConfigOpts) -> None:
    """Read every value once, so that a wrong one is told of at once and by name."""
    groups: list[tuple[typing.Any, list[cfg.Opt]]] = [
        (conf, main_opts),
        (conf.packages, packages_opts),
        (conf.emulator, emulator_opts),
    ]
    for group, options in groups:
        for option in options:
            getattr(group, option.dest)
