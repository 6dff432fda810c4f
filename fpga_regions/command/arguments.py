# SPDX-License-Identifier: Apache-2.0
"""The command line of fpga-cli, which the man page and the completion follow."""

import argparse
import functools
import textwrap
import typing

from fpga_nova.contract import REGION_NUMBERS, Exit
from fpga_nova.version import ShowVersion
from fpga_regions.command import examples, image_verbs, values, verbs
from fpga_regions.model import Claim

#: What each exit status means.
EXITS = {int(code): code.meaning for code in Exit}


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line in one line, as every other error."""

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"Error: wrong command line - {message}; see {self.prog} --help\n")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options of a command line; ends the process where it is wrong, with exit status 2.

    Besides the options the result has `run`, what carries the verb out, `attempt`, which says what
    is attempted, and for burn and hold `claim`, whom it is for and on which card.

    :param arguments: those after the command's name; None for the process's own
    """
    command = parser()
    options = command.parse_args(arguments)
    if options.verb == "erase" and options.region_id is None and options.owner is None:
        command.error("erase needs a REGION_ID, an --owner, or both")
    if options.verb == "burn" and (options.image_id is None) == (options.file is None):
        command.error("burn needs an IMAGE_ID or a --file, and not both")
    if options.verb == "burn":
        if options.number is not None and options.owner is None:
            command.error("burn takes a --number only with an --owner")
        number = options.number or REGION_NUMBERS[0]
        options.claim = Claim(options.owner, options.device, number)
    if options.verb == "replace" and (options.image_id is None) == (options.file is None):
        command.error("replace needs an IMAGE_ID or a --file, and not both")
    if options.verb == "hold":
        options.claim = Claim(options.owner, options.device)
    return options


@functools.cache
def parser() -> argparse.ArgumentParser:
    """The parser of the command line; made once."""
    exits = "; ".join(f"{code} {meaning}" for code, meaning in EXITS.items())
    command = _Parser(
        prog=examples.PROGRAM,
        description="Programs, erases and reports the FPGA regions of this host.",
        epilog=f"{examples.text('')}\n\n{textwrap.fill(f'exit status: {exits}', 96)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument("--version", action=ShowVersion)
    command.add_argument(
        "--config-file", metavar="FILE", help="default: /etc/fpga-nova/fpga-cli.conf"
    )
    command.add_argument(
        "--debug", action="store_true", help="log more, and show where a defect lies"
    )
    group = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_burn(group)
    _add_replace(group)
    _add_hold(group)
    _add_disconnect(group)
    _add_erase(group)
    _add_status(group)
    _add_describe(group)
    _add_events(group)
    _add_reconcile(group)
    _add_quarantine(group)
    _add_release(group)
    add_verb(
        group,
        "prepare",
        "prepare for the first burns of the bitstream images that changed",
        run=verbs.prepare,
        attempt=lambda _options: "cannot prepare bitstream images",
    )
    add_verb(
        group,
        "serve",
        "stay and do the commands of other calls, which then start faster",
        attempt=lambda _options: "cannot serve",
    )
    image_verbs.add_to(add_verb(group, "image", "check, make or upload a package"))
    return command


def verbs_of(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb; none where there are none."""
    found: dict[str, argparse.ArgumentParser] = {}
    for one in command._actions:
        if isinstance(one, argparse._SubParsersAction):
            found |= one.choices
    return found


if typing.TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[_Parser]


def add_verb(group: "Verbs", name: str, purpose: str, **defaults: typing.Any) -> "_Parser":
    """Add a verb with its help and examples."""
    verb = group.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=examples.text(name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.set_defaults(**defaults)
    return verb


def _add_burn(group: "Verbs") -> None:
    verb = add_verb(
        group,
        "burn",
        "program a region and print its id",
        run=verbs.burn,
        attempt=lambda options: f"cannot program `{options.file or options.image_id}'",
    )
    verb.add_argument(
        "image_id", nargs="?", metavar="IMAGE_ID", help="Glance id of the bitstream image"
    )
    verb.add_argument("--file", metavar="PACKAGE", help="a package on this host, without Glance")
    _add_owner(verb, "the instance that gets it, one for each number")
    verb.add_argument(
        "--number",
        type=int,
        choices=REGION_NUMBERS,
        metavar="NUMBER",
        help=f"which of that instance's regions, {REGION_NUMBERS[0]} (default) to "
        f"{REGION_NUMBERS[-1]}",
    )
    verb.add_argument("--device", metavar="ID", help="card, as status --format json names it")
    verb.add_argument(
        "--dry-run", action="store_true", help="only print which region it would be, and why"
    )


def _add_replace(group: "Verbs") -> None:
    purpose = "put another bitstream into a region of an owner"
    verb = _add_for_region(group, "replace", purpose, verbs.replace)
    verb.add_argument(
        "image_id", nargs="?", metavar="IMAGE_ID", help="Glance id of the bitstream image"
    )
    verb.add_argument("--file", metavar="PACKAGE", help="a package on this host, without Glance")
    _add_owner(verb, "who holds the region", required=True)
    verb.add_argument(
        "--same-nodes",
        action="store_true",
        help="refuse a bitstream that exposes other nodes than the region has",
    )
    _add_format(verb)


def _add_hold(group: "Verbs") -> None:
    verb = add_verb(
        group,
        "hold",
        "hold a region without programming it, and print its id",
        run=verbs.hold,
        attempt=lambda options: f"cannot hold a region for `{options.owner}'",
    )
    _add_owner(verb, "the claim that gets it", required=True)
    verb.add_argument("--device", metavar="ID", help="card, as status --format json names it")
    verb.add_argument("--board", metavar="NAME", help="board, as status --format json names it")


def _add_disconnect(group: "Verbs") -> None:
    verb = add_verb(
        group,
        "disconnect",
        "close the connections to the sockets of an owner's regions",
        run=verbs.disconnect,
        attempt=lambda options: f"cannot close the connections of `{options.owner}'",
    )
    _add_owner(verb, "who holds the regions", required=True)


def _add_erase(group: "Verbs") -> None:
    verb = add_verb(group, "erase", "erase a region", run=verbs.erase, attempt=_attempt_erase)
    verb.add_argument(
        "region_id", nargs="?", metavar="REGION_ID", help="the region's id, as burn printed it"
    )
    _add_owner(verb, "only regions of this instance, which no guest has")


def _attempt_erase(options: argparse.Namespace) -> str:
    if options.region_id is None:
        return f"cannot erase FPGA devices of owner `{options.owner}'"
    return f"cannot erase FPGA device with id `{options.region_id}'"


def _add_status(group: "Verbs") -> None:
    verb = add_verb(
        group,
        "status",
        "print the status of the regions",
        run=verbs.status,
        attempt=lambda _options: "cannot report the status of the FPGA regions",
    )
    _add_format(verb)


def _add_describe(group: "Verbs") -> None:
    verb = _add_for_region(group, "describe", "print all that is known of a region", verbs.describe)
    _add_format(verb)


def _add_events(group: "Verbs") -> None:
    verb = add_verb(
        group,
        "events",
        "list the events of a region, or of all regions",
        run=verbs.events,
        attempt=lambda _options: "cannot list the events of the FPGA regions",
    )
    verb.add_argument(
        "region_id", nargs="?", metavar="REGION_ID", help="only the events of this region"
    )
    verb.add_argument(
        "--last",
        type=values.count_of,
        metavar="NUMBER",
        help="only the latest events, so many at most",
    )
    _add_format(verb)


def _add_reconcile(group: "Verbs") -> None:
    verb = add_verb(
        group,
        "reconcile",
        "list the differences between hardware and ledger",
        run=verbs.reconcile,
        attempt=lambda _options: "cannot reconcile the FPGA regions",
    )
    verb.add_argument(
        "--fix",
        action="store_true",
        help="erase what nobody owns, mark lost configurations, finish interrupted transitions",
    )
    _add_format(verb)


def _add_quarantine(group: "Verbs") -> None:
    purpose = "erase a region and withhold it until its release"
    verb = _add_for_region(group, "quarantine", purpose, verbs.quarantine)
    verb.add_argument(
        "--reason",
        metavar="TEXT",
        default="put into quarantine",
        help="the reason that describe and events show",
    )


def _add_release(group: "Verbs") -> None:
    purpose = "end the quarantine of a region: erase it, and free it or leave it to its owner"
    _add_for_region(group, "release", purpose, verbs.release)


def _add_for_region(
    group: "Verbs",
    name: str,
    purpose: str,
    run: typing.Callable[..., int],
) -> "_Parser":
    def attempt(options: argparse.Namespace) -> str:
        return f"cannot {name} FPGA device with id `{options.region_id}'"

    verb = add_verb(group, name, purpose, run=run, attempt=attempt)
    verb.add_argument(
        "region_id", metavar="REGION_ID", help="the region's id, as burn and status print it"
    )
    return verb


def _add_owner(verb: "_Parser", text: str, required: bool = False) -> None:
    verb.add_argument("--owner", type=values.uuid_of, metavar="UUID", required=required, help=text)


def _add_format(verb: "_Parser") -> None:
    verb.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people, or for programs"
    )
