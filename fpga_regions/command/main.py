# SPDX-License-Identifier: Apache-2.0
"""The command fpga-cli: reads the command line, does one thing, reports it in one line."""

import argparse
import logging
import os
import select
import signal
import sys
import types
import typing

from fpga_regions import ledger
from fpga_regions.command import arguments as parsing
from fpga_regions.command import client

if typing.TYPE_CHECKING:
    from oslo_config import cfg


class _Interrupted(BaseException):
    """A signal asked the command to end; what it was doing is undone on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: list[str] | None = None, conf: "cfg.ConfigOpts | None" = None) -> int:
    """Run the command; gives its exit status.

    :param arguments: those after the command's name; None for the process's own
    :param conf: the configuration; None to read the file that the arguments name
    """
    options = parsing.parse(arguments)
    _prepare(options.debug)

    from fpga_regions import errors

    try:
        code = _run(options, conf)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        # As other programs do: `fpga-cli.py events | head` is no failure that needs a line.
        return client.die(signal.SIGPIPE)
    except errors.RegionError as e:
        if options.debug:
            logging.exception("exit %s", e.code)
        return _fail(e.line(options.attempt(options)), e.code)
    except _Interrupted as e:
        if e.number == signal.SIGALRM:
            late = errors.TimedOut(
                "it took longer than burn_timeout allows; what was begun is undone"
            )
            return _fail(late.line(options.attempt(options)), late.code)
        name = signal.Signals(e.number).name
        _fail(
            f"Error: {options.attempt(options)} - interrupted by {name}; what was begun is undone",
            1,
        )
        return client.die(e.number)


def _nobody_reads() -> bool:
    """Whether standard output is a pipe that is closed at its other end."""
    watch = select.poll()
    watch.register(1, 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def _run(options: argparse.Namespace, conf: "cfg.ConfigOpts | None") -> int:
    from fpga_regions.system import startup

    startup.forget_home_of_caller()
    startup.put_off_imports()
    from fpga_regions.command import options as configuration

    if options.verb == "serve":
        from fpga_regions.command import serve

        return serve.serve(options.config_file, main)
    if conf is None:
        conf = configuration.load(options.config_file, if_readable="image_verb" in options)
    if options.verb in ("burn", "replace"):
        signal.signal(signal.SIGALRM, _interrupt)
        signal.alarm(conf.burn_timeout)
    code: int = options.run(conf, options)
    return code


def _prepare(debug: bool) -> None:
    """See to it that nothing but our own lines gets on standard error, and that signals undo."""
    # A server's process has its server's handlers.
    published = logging.getLogger(ledger.__name__)
    published.handlers.clear()
    if debug:
        logging.basicConfig(level=logging.INFO, force=True)
        sys.excepthook = sys.__excepthook__
    else:
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)
        warnings = logging.StreamHandler()
        warnings.setFormatter(logging.Formatter("Warning: %(message)s"))
        published.addHandler(warnings)
        sys.excepthook = _report_in_one_line
    os.umask(0o022)
    for number in client.SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: types.FrameType | None) -> typing.NoReturn:
    # Once only: a second signal must not disturb the undoing.
    for other in (*client.SIGNALS, signal.SIGALRM):
        signal.signal(other, signal.SIG_IGN)
    raise _Interrupted(number)


def _report_in_one_line(
    kind: type[BaseException], error: BaseException, _trace: types.TracebackType | None
) -> None:
    words = " ".join(str(error).split())
    _fail(f"Error: fpga-cli has a defect - {kind.__name__}: {words}; --debug shows where", 1)


def _fail(line: str, code: int) -> int:
    print(line, file=sys.stderr)
    return code
