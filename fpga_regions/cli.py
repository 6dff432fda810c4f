# SPDX-License-Identifier: Apache-2.0
"""The command fpga-cli: reads the command line, does one thing, tells it in one line."""

import argparse
import contextlib
import logging
import os
import pathlib
import signal
import sys
import types
import typing
import uuid

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from fpga_regions.manager import Manager
    from fpga_regions.packages import Package

_EXAMPLES = """
examples:
  fpga-cli.py burn dd834aa4-f950-40e6-8c23-9dab7f3f0138
      fetches the bitstream image from Glance, programs a free region, prints its id
  fpga-cli.py burn dd834aa4-f950-40e6-8c23-9dab7f3f0138 --device emulator0
      the same, on that card
  fpga-cli.py erase a0399bc1-cb67-4548-b0b8-aa95a91402d3
      erases that region
  fpga-cli.py erase --owner 1a4c6fc8-5a64-4b6b-a1d5-7c9f0a1f7a05
      erases whatever that instance holds
  fpga-cli.py status
      prints how many regions are in use
"""

_EXITS = """
exit status: 0 done; 2 wrong command line; 31 not erased, in quarantine; 33 unknown region;
64 no matching hardware; 65 no free region; 66 invalid package; 67 image cannot be had;
68 programming failed; 69 wrong function read back; 70 timed out; 71 ledger cannot be used;
127 FPGA device not accessible
"""


class _Interrupted(BaseException):
    """A signal asked the command to end; what it was doing is undone on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Parser(argparse.ArgumentParser):
    """Tells a wrong command line in one line, as every other error is told."""

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"Error: wrong command line - {message}; see {self.prog} --help\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives its exit status.

    :param arguments: those after the command's name; None for the process's own
    """
    options = _options(arguments)
    _prepare(options.debug)

    from fpga_regions import errors

    try:
        return _run(options)
    except errors.RegionError as e:
        if options.debug:
            logging.exception("exit %s", e.code)
        return _fail(e.line(_attempt(options)), e.code)
    except _Interrupted as e:
        name = signal.Signals(e.number).name
        _fail(f"Error: {_attempt(options)} - interrupted by {name}; what was begun is undone", 1)
        # Die of the signal, so that whoever started the command sees that it did.
        signal.signal(e.number, signal.SIG_DFL)
        os.kill(os.getpid(), e.number)
        return 128 + e.number


def _run(options: argparse.Namespace) -> int:
    from fpga_regions import startup

    startup.forget_home_of_caller()
    startup.put_off_imports()
    from fpga_regions import conf as configuration

    conf = configuration.load(options.config_file)
    if options.verb == "burn":
        return _burn(conf, options)
    if options.verb == "erase":
        return _erase(conf, options)
    return _status(conf, options)


def _burn(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    from fpga_regions import glance

    image_id = glance.proper_id(options.image_id)
    with _manager(conf) as manager:
        region_id = manager.burn(image_id, options.owner, options.device)
    print(region_id)
    return 0


def _erase(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    with _manager(conf) as manager:
        manager.erase(options.region_id, options.owner)
    return 0


def _status(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    from fpga_regions import status

    with _manager(conf) as manager:
        regions = manager.regions()
    print(status.as_json(regions) if options.format == "json" else status.text(regions))
    return 0


@contextlib.contextmanager
def _manager(conf: "cfg.ConfigOpts") -> "typing.Iterator[Manager]":
    from fpga_regions import ledger, manager
    from fpga_regions.drivers import base

    drivers = base.load(conf)
    with contextlib.closing(ledger.Ledger(pathlib.Path(conf.state_dir), conf.ledger_timeout)) as db:
        yield manager.Manager(conf, db, drivers, lambda image_id: _package(conf, image_id))


def _package(conf: "cfg.ConfigOpts", image_id: str) -> "Package":
    from fpga_regions import sources

    return sources.from_glance(conf, image_id)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.verb == "erase" and options.region_id is None and options.owner is None:
        parser.error("erase needs a REGION_ID, an --owner, or both")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fpga-cli.py",
        description="Programs and erases the FPGA regions of this host, and tells their status.",
        epilog=_EXAMPLES + _EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config-file", metavar="FILE", help="instead of /etc/fpga-nova/fpga-cli.conf"
    )
    parser.add_argument("--debug", action="store_true", help="tell more of what goes wrong")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="burn|erase|status")

    burn = verbs.add_parser("burn", help="program a region and print its id", allow_abbrev=False)
    burn.add_argument("image_id", metavar="IMAGE_ID", help="Glance id of the bitstream image")
    burn.add_argument(
        "--owner", type=_uuid, metavar="UUID", help="instance that is to hold it, once only"
    )
    burn.add_argument("--device", metavar="ID", help="card, as status --format json names it")

    erase = verbs.add_parser("erase", help="erase a region", allow_abbrev=False)
    erase.add_argument("region_id", nargs="?", metavar="REGION_ID", help="what burn printed")
    erase.add_argument("--owner", type=_uuid, metavar="UUID", help="only what this instance holds")

    status = verbs.add_parser("status", help="tell the regions' status", allow_abbrev=False)
    status.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def _uuid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a UUID") from None


def _prepare(debug: bool) -> None:
    """See to it that nothing but our own lines gets on standard error, and that signals undo."""
    if debug:
        logging.basicConfig(level=logging.INFO)
    else:
        logging.getLogger().addHandler(logging.NullHandler())
        sys.excepthook = _tell_in_one_line
    os.umask(0o022)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: types.FrameType | None) -> typing.NoReturn:
    # Once only: a second signal must not disturb the undoing.
    for other in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise _Interrupted(number)


def _tell_in_one_line(
    kind: type[BaseException], error: BaseException, _trace: types.TracebackType | None
) -> None:
    words = " ".join(str(error).split())
    _fail(f"Error: fpga-cli has a defect - {kind.__name__}: {words}; --debug tells where", 1)


def _attempt(options: argparse.Namespace) -> str:
    if options.verb == "burn":
        return f"cannot program `{options.image_id}'"
    if options.verb == "status":
        return "cannot tell the status of the FPGA regions"
    if options.region_id is None:
        return f"cannot erase FPGA devices of owner `{options.owner}'"
    return f"cannot erase FPGA device with id `{options.region_id}'"


def _fail(line: str, code: int) -> int:
    print(line, file=sys.stderr)
    return code
