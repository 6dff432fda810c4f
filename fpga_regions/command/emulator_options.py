# SPDX-License-Identifier: Apache-2.0
"""The options of fpga-cli for the emulator."""

from oslo_config import cfg, types

from fpga_regions.drivers import settings

_MIB = 1024 * 1024

EMULATOR: list[cfg.Opt] = [
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
