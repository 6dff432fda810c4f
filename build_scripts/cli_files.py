#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the man page and the bash completion of fpga-cli anew, from its own command line.

Needs fpga-nova[regions]; to be run after the command line was changed. A test sees that it was.
"""

import argparse
import string
from pathlib import Path

from fpga_regions.command import arguments, examples

ROOT = Path(__file__).parents[1]
MAN = ROOT / "docs" / "man" / "fpga-cli.8"
COMPLETION = ROOT / "etc" / "bash_completion.d" / "fpga-cli.py.bash"

_MAN = string.Template(r""".\" SPDX-License-Identifier: Apache-2.0
.\" Made by build_scripts/cli_files.py; do not change it by hand.
.TH FPGA\-CLI 8 "" "fpga\-nova" "System administration"
.SH NAME
fpga\-cli.py \- programs and erases the FPGA regions of a host
.SH SYNOPSIS
$synopsis
.SH DESCRIPTION
.B fpga\-cli.py
programs FPGA regions with bitstreams from Glance or from a file, erases them, and keeps a ledger of
who holds which. It runs as root: nova\-compute calls it through rootwrap, and people call it.
.PP
Standard output has the answer and nothing else. An error is one line on standard error:
.IR "Error: what \- why" .
.SH OPTIONS
$options
$verbs
.SH EXIT STATUS
$exits
.SH FILES
.TP
.I /etc/fpga\-nova/fpga\-cli.conf
the configuration; for root only, it holds a password
.TP
.I /var/lib/fpga\-nova/ledger.sqlite3
the ledger: regions, their states and owners, and what happened to them
.TP
.I /run/fpga\-nova
sockets and other things that a restart of the host may remove
.SH SIGNALS
On SIGTERM, SIGINT and SIGHUP it undoes what it had begun, then dies of the signal. If it is killed,
the next call undoes what it had begun.
.SH SEE ALSO
.BR nova\-compute (8),
.BR nova\-rootwrap (1)
""")

_COMPLETION = string.Template("""\
# SPDX-License-Identifier: Apache-2.0
# bash completion for fpga-cli.py.  Made by build_scripts/cli_files.py; do not change it by hand.

_fpga_cli()
{
    local word=$${COMP_WORDS[COMP_CWORD]} before=$${COMP_WORDS[COMP_CWORD - 1]} verb="" i

    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$$verb $${COMP_WORDS[i]}" in
$verbs
        esac
    done

    case "$$verb $$before" in
$values
    esac

    case "$$verb" in
$words
    esac
}

complete -F _fpga_cli fpga-cli.py
""")

_FILES = 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$word"))'


def main() -> None:
    """Write both files."""
    MAN.write_text(man())
    COMPLETION.write_text(completion())


def man() -> str:
    """The man page, in the macros of man(7)."""
    parser = arguments.parser()
    verbs = _leaves(parser)
    return _MAN.substitute(
        synopsis="\n.br\n".join(_usage(verb) for verb in verbs.values()),
        options=_option_list(parser),
        verbs="\n".join(_section(name, verb) for name, verb in verbs.items()),
        exits="\n".join(f".TP\n.B {code}\n{_roff(text)}" for code, text in arguments.EXITS.items()),
    )


def completion() -> str:
    """The completion, for bash."""
    parsers = _all(arguments.parser())
    verbs, values, words = [], [], []
    for name, parser in parsers.items():
        below = list(arguments.verbs_of(parser))
        for verb in below:
            verbs.append(f'            "{name} {verb}") verb="{f"{name} {verb}".strip()}" ;;')
        for action in _options(parser):
            if action.nargs == 0:
                continue
            candidates = _of_value(action)
            names = "|".join(f'"{name} {option}"' for option in action.option_strings)
            values.append(f"        {names}) {candidates}; return ;;")
        known = [option for action in _options(parser) for option in action.option_strings]
        candidates = f'COMPREPLY=($(compgen -W "{" ".join([*known, *below])}" -- "$word"))'
        if any(_takes_file(action) for action in parser._actions if not action.option_strings):
            candidates = f"{_FILES}; [[ $word != -* ]] || {candidates}"
        words.append(f'        "{name}") {candidates} ;;')
    return _COMPLETION.substitute(
        verbs="\n".join(verbs), values="\n".join(values), words="\n".join(words)
    )


def _of_value(action: argparse.Action) -> str:
    if action.choices is not None:
        return f'COMPREPLY=($(compgen -W "{" ".join(map(str, action.choices))}" -- "$word"))'
    return _FILES if _takes_file(action) else "COMPREPLY=()"


def _takes_file(action: argparse.Action) -> bool:
    return action.metavar in ("FILE", "PACKAGE", "KEY")


def _all(parser: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """A parser and those of its verbs, by name: "", "burn", "image build"."""
    found = {name: parser}
    for verb, below in arguments.verbs_of(parser).items():
        found |= _all(below, f"{name} {verb}".strip())
    return found


def _leaves(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return {name: one for name, one in _all(parser).items() if not arguments.verbs_of(one)}


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.option_strings]


def _usage(verb: argparse.ArgumentParser) -> str:
    return _roff(" ".join(verb.format_usage().removeprefix("usage: ").split()))


def _section(name: str, verb: argparse.ArgumentParser) -> str:
    lines = [f".SH {name.upper()}", _usage(verb), ".PP"]
    if verb.description:
        lines += [_roff(verb.description)]
    lines += [_option_list(verb)]
    of_verb = examples.EXAMPLES.get(name.partition(" ")[0], [])
    of_section = [example for example in of_verb if example[0].startswith(name)]
    if of_section:
        lines += [".PP", "Examples:"]
    for line, meaning in of_section:
        lines += [".TP", f".B {examples.PROGRAM} {_roff(line)}", _roff(meaning)]
    return "\n".join(line for line in lines if line)


def _option_list(parser: argparse.ArgumentParser) -> str:
    lines = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        heading = ", ".join(action.option_strings) or str(action.metavar)
        if action.option_strings and action.nargs != 0:
            heading += f" {action.metavar or '|'.join(action.choices or [])}"
        lines += [".TP", f".B {_roff(heading)}", _roff(action.help or "as in the manifest")]
    return "\n".join(lines)


def _roff(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")


if __name__ == "__main__":
    main()
