# SPDX-License-Identifier: Apache-2.0
"""``--watch``: a command that prints its answer again and again."""

import argparse
import threading

from osc_lib import exceptions

from fpga_client.osc import base

#: What clears a terminal: the cursor at the top left, and all below it erased.
_CLEAR = "\x1b[H\x1b[J"

#: Seconds between two answers; the engine of the service looks as often by default.
_INTERVAL = 15


def _seconds(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1 second")
    return value


class Watchable(base.FpgaCommand):
    """A command with ``--watch``."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The options of the command, and those of the watch."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--watch", action="store_true", help="Print the answer again and again, until Ctrl-C"
        )
        parser.add_argument(
            "--interval",
            metavar="<seconds>",
            type=_seconds,
            default=_INTERVAL,
            help=f"Seconds between two answers of --watch (default: {_INTERVAL})",
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run once, or until the user stops it.

        A failure ends the watch only if it is the first answer: an interruption of the service
        passes, and a watch is there to see it.
        """
        if not parsed_args.watch:
            return super().run(parsed_args)
        pause = threading.Event()
        try:
            self._print(parsed_args)
            while not pause.wait(parsed_args.interval):
                try:
                    self._print(parsed_args)
                except exceptions.CommandError as e:
                    self.log.error(str(e))
        except KeyboardInterrupt:
            pass
        return 0

    def _print(self, parsed_args: argparse.Namespace) -> None:
        out = self.app.stdout
        if out.isatty():
            out.write(_CLEAR)
        super().run(parsed_args)
        # A program that reads the answers gets each when it comes.
        out.flush()
