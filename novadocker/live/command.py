# SPDX-License-Identifier: Apache-2.0
"""``fpga-live``: what nova-compute has root do for live images, and what an operator does."""

import argparse
import json
import os
import pathlib
import re
import sys
import time
import typing

from fpga_nova import request
from novadocker.live import dumping, hook, selftest, settings
from novadocker.live.errors import LiveError, words


def main(arguments: list[str] | None = None) -> int:
    """Do one verb.

    :returns: exit status: 0, or 1 with "Error: " and the reason in one line of standard error
    """
    asked = _parser().parse_args(arguments)
    os.umask(0o077)
    try:
        asked.run(settings.read(asked.settings), asked)
    except (LiveError, OSError) as e:
        sys.stderr.write(f"Error: {words(e)}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fpga-live", description=__doc__)
    parser.add_argument("--settings", type=pathlib.Path, default=settings.FILE, metavar="FILE")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(
        name: str, text: str, run: typing.Callable[[settings.Settings, typing.Any], None]
    ) -> argparse.ArgumentParser:
        found = verbs.add_parser(name, help=text, description=text)
        found.set_defaults(run=run)
        return found

    verb("selftest", "dump and restore a process that listens", _selftest)
    dump = verb("dump", "dump a container once it is paused", _dump)
    suspend = verb(
        "suspend", "dump a container once it is paused, and kill its processes", _suspend
    )
    for one in (dump, suspend):
        one.add_argument("container", metavar="CONTAINER")
        one.add_argument(
            "--owner", type=_uuid, metavar="UUID", help="who holds its FPGA regions, if it has any"
        )
    map_ = verb("map", "move the memory of a dump to a layer of the image", _map)
    map_.add_argument("container", metavar="CONTAINER")
    sign = verb("sign", "sign a dump, and have nova-compute read it", _sign)
    sign.add_argument("container", metavar="CONTAINER")
    sign.add_argument("--project", required=True, help="whose server it is")
    sign.add_argument("--instance", required=True, help="the server")
    sign.add_argument("--image", required=True, help="SHA-256 of the archive of its files")
    sign.add_argument(
        "--bitstreams", required=True, help="digests of the bitstreams with + between them, or none"
    )
    hook_ = verb("hook", "run the hook of a clone, in its container", _hook)
    hook_.add_argument("container", metavar="CONTAINER")
    discard = verb("discard", "remove a dump", _discard)
    discard.add_argument("container", metavar="CONTAINER")
    verb("sweep", "remove all dumps but those of suspended containers, and list these", _sweep)
    key = verb("key", "make the host's key, or another one", _key)
    key.add_argument(
        "--rotate", action="store_true", help="make a new key; the host trusts the old one still"
    )
    adopt = verb("import", "verify a live image, and sign it for another project", _import)
    adopt.add_argument("archive", type=pathlib.Path, metavar="FILE")
    adopt.add_argument("--project", required=True, type=_project, help="its id")
    adopt.add_argument(
        "--output", required=True, type=pathlib.Path, metavar="FILE", help="the new archive"
    )
    adopt.add_argument(
        "--keys",
        type=pathlib.Path,
        metavar="FOLDER",
        help="the public keys of another cloud's hosts; default: those that this host trusts",
    )
    verb("keys", "list the keys that the host trusts", _keys)
    return parser


def _selftest(config: settings.Settings, _asked: argparse.Namespace) -> None:
    start = time.monotonic()
    selftest.check(config)
    version = selftest.run(config.criu)
    seconds = round(time.monotonic() - start, 2)
    print(json.dumps({"criu": version, "seconds": seconds, "state": str(config.state)}))


def _dump(config: settings.Settings, asked: argparse.Namespace) -> None:
    _report(dumping.dump(config, asked.container, asked.owner))


def _suspend(config: settings.Settings, asked: argparse.Namespace) -> None:
    _report(dumping.suspend(config, asked.container, asked.owner))


def _hook(config: settings.Settings, asked: argparse.Namespace) -> None:
    found = hook.run(config, asked.container)
    print(json.dumps({**found._asdict(), "seconds": round(found.seconds, 2)}))


def _report(found: dumping.Seconds) -> None:
    print(json.dumps({name: round(value, 2) for name, value in found._asdict().items()}))


def _map(config: settings.Settings, asked: argparse.Namespace) -> None:
    from novadocker.live import mapping

    found = mapping.move(config, asked.container)
    print(json.dumps(found._asdict() if found else {}, default=str))


def _sign(config: settings.Settings, asked: argparse.Namespace) -> None:
    bitstreams = () if asked.bitstreams == "none" else tuple(asked.bitstreams.split("+"))
    print(
        dumping.sign(
            config, asked.container, asked.project, asked.instance, bitstreams, asked.image
        )
    )


def _discard(config: settings.Settings, asked: argparse.Namespace) -> None:
    dumping.discard(config, asked.container)


def _sweep(config: settings.Settings, _asked: argparse.Namespace) -> None:
    dumping.sweep(config)
    for container in dumping.suspended(config):
        print(container)


def _import(config: settings.Settings, asked: argparse.Namespace) -> None:
    from novadocker.live import adoption

    keys = asked.keys or config.trusted_keys
    found = adoption.adopt(config, asked.archive, asked.output, asked.project, keys)
    print(json.dumps({"instance": found.instance, "created": found.created}))


def _project(text: str) -> str:
    """The id of a project, in the form that rootwrap's filters let through."""
    if not re.fullmatch("[0-9A-Za-z_-]{1,255}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a project")
    return text


def _uuid(text: str) -> str:
    """The uuid of an instance, in the form that rootwrap's filters let through."""
    if not request.UUID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a uuid")
    return text


def _key(config: settings.Settings, asked: argparse.Namespace) -> None:
    from novadocker.live import signatures

    if asked.rotate or not config.signing_key.exists():
        print(signatures.create(config.signing_key, config.trusted_keys))


def _keys(config: settings.Settings, _asked: argparse.Namespace) -> None:
    from novadocker.live import signatures

    for name in signatures.public_keys(config.trusted_keys):
        print(name)


if __name__ == "__main__":
    sys.exit(main())
