# SPDX-License-Identifier: Apache-2.0
"""The verbs `image validate`, `image build` and `image create`: packages as people handle them."""

import argparse
import io
import os
import pathlib
import re
import tempfile
import typing

from fpga_nova.contract import NODE_KINDS

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from fpga_regions.package import reader
    from fpga_regions.package.reader import Package


def add_to(image: argparse.ArgumentParser) -> None:
    """Add the verbs to the parser of `image`; each has `run` and `attempt`, as others have."""
    kinds = image.add_subparsers(dest="image_verb", required=True, metavar="VERB")
    _add_validate(kinds)
    _add_build(kinds)
    _add_create(kinds)


def _add_validate(kinds: typing.Any) -> None:
    validate = kinds.add_parser("validate", help="check a package and print what it is")
    validate.add_argument("file", metavar="FILE", type=pathlib.Path, help="the package, a zip")
    validate.set_defaults(
        run=_printing(_validate), attempt=lambda options: f"`{options.file}' is not valid"
    )


def _add_create(kinds: typing.Any) -> None:
    create = kinds.add_parser(
        "create",
        help="check a package, upload it to Glance, print the image's id",
        description="If OS_AUTH_URL is set, the credentials are OS_* of the environment, "
        "otherwise those in [glance] of fpga-cli.conf.",
    )
    create.add_argument("file", metavar="FILE", type=pathlib.Path, help="the package, a zip")
    create.add_argument("--name", help="the name of the image (default: the package's)")
    create.add_argument(
        "--visibility",
        choices=("private", "shared", "community", "public"),
        help="who can see the image (default: Glance's own)",
    )
    create.set_defaults(
        run=_printing(_create), attempt=lambda options: f"cannot upload `{options.file}'"
    )


def _add_build(kinds: typing.Any) -> None:
    build = kinds.add_parser(
        "build", help="make a package of a bitfile, print the bitfile's digest"
    )
    build.set_defaults(
        run=_printing(_build), attempt=lambda options: f"cannot make the package `{options.output}'"
    )
    build.add_argument("--bitfile", metavar="FILE", type=pathlib.Path, required=True)
    build.add_argument("--output", metavar="FILE", type=pathlib.Path, required=True)
    build.add_argument(
        "--manifest",
        metavar="FILE",
        type=pathlib.Path,
        help="JSON with members of the manifest; the options below override it, digests are made",
    )
    build.add_argument("--sign", metavar="KEY", type=pathlib.Path, help="Ed25519 key, a PEM file")
    for name in ("name", "version", "vendor", "type", "description", "function"):
        build.add_argument(f"--{name}", metavar="TEXT")
    build.add_argument("--board", metavar="TEXT", help="the board of the target")
    build.add_argument("--part", metavar="TEXT", help="the part of the target")
    build.add_argument("--interface", metavar="UUID", help="the uuid of the target's shell")
    build.add_argument(
        "--node",
        metavar="KIND:PATH",
        action="append",
        type=_node,
        help=f"a node for the container: {', '.join(NODE_KINDS)}, and /dev/NAME; may be repeated",
    )


def _printing(
    verb: "typing.Callable[[cfg.ConfigOpts, argparse.Namespace], str]",
) -> "typing.Callable[[cfg.ConfigOpts, argparse.Namespace], int]":
    """What prints what a verb gives; its exit status is that of success."""

    def run(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
        print(verb(conf, options))
        return 0

    return run


def _validate(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> str:
    from fpga_regions.image import sources

    package = sources.read(conf, options.file)
    found = package.manifest
    return (
        f"{found.name} {found.version} of {found.vendor}: function {found.function}, "
        f"board {found.board}, part {found.part}, {package.digest}, {_signed(conf, package)}"
    )


def _create(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> str:
    from fpga_regions.image import upload
    from fpga_regions.package import reader
    from fpga_regions.system import files

    # What is checked is what is uploaded, whatever becomes of the name meanwhile.
    with files.opened(options.file) as file:
        package = reader.read(file, reader.Limits.of(conf))
        _signed(conf, package)
        name = options.name or package.manifest.name
        return upload.create(conf, file, package, name, options.visibility)


def _signed(conf: "cfg.ConfigOpts", package: "Package") -> str:
    """What is to be said of a package's signature.

    :raises errors.BadPackage: it is of none of the keys that the operator trusts
    """
    from fpga_regions import errors
    from fpga_regions.image import policy

    if package.signature is None:
        return "not signed"
    if not conf.packages.package_keys:
        return "signed, not checked: package_keys names no key"
    fault = policy.package_fault(conf, package)
    if fault is not None:
        raise errors.BadPackage(fault)
    return "signed by a key in package_keys"


def _build(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> str:
    from fpga_regions.package import reader, writer
    from fpga_regions.system import files

    limits = reader.Limits.of(conf)
    bitfile = files.content(options.bitfile, limits.max_bitfile_size, "max_bitfile_size")
    described = writer.describe(_fields(options, limits), bitfile)
    signature = _sign(described, options.sign) if options.sign else None
    data = writer.write(described, bitfile, signature, limits.max_ratio)
    # What this host's own reader refuses is not worth being called a package.
    package = reader.read(io.BytesIO(data), limits)
    _write(options.output, data)
    return package.digest


def _write(output: pathlib.Path, data: bytes) -> None:
    """Put a file in its place once it is whole."""
    from fpga_regions import errors

    try:
        # A device or a folder is not to be replaced.
        if output.exists() and not output.is_file():
            raise errors.BadPackage("it cannot be written: it is there, and not a file")
        descriptor, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
        part = pathlib.Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o644)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    except OSError as e:
        raise errors.BadPackage(f"it cannot be written: {e.strerror}") from e


def _fields(options: argparse.Namespace, limits: "reader.Limits") -> dict[str, typing.Any]:
    """The manifest's members but for the digests: of the template, then of the options."""
    fields = _template(options.manifest, limits) if options.manifest else {}
    for name in ("name", "version", "vendor", "type", "description", "function"):
        if getattr(options, name) is not None:
            fields[name] = getattr(options, name)
    targets = {name: getattr(options, name) for name in ("board", "part", "interface")}
    target = {name: value for name, value in targets.items() if value is not None}
    if target:
        template = fields.get("target", {})
        fields["target"] = (template if isinstance(template, dict) else {}) | target
    if options.node:
        fields["exposes"] = options.node
    fields.setdefault("bitfile", _entry_name(options.bitfile))
    return fields


def _template(path: pathlib.Path, limits: "reader.Limits") -> dict[str, typing.Any]:
    from fpga_regions import errors
    from fpga_regions.package import manifest
    from fpga_regions.system import files

    text = files.content(path, limits.max_manifest_size, "max_manifest_size")
    fields = manifest.parse(text, str(path))
    if not isinstance(fields, dict):
        raise errors.BadPackage(f"{path} is not a JSON object")
    return {name: value for name, value in fields.items() if name != "digests"}


def _entry_name(bitfile: pathlib.Path) -> str:
    """The bitfile's name in the package: its own, in letters that a manifest may have."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", bitfile.name).lstrip("._-") or "bitfile"


def _sign(described: bytes, key: pathlib.Path) -> bytes:
    from fpga_regions import errors
    from fpga_regions.package import signatures

    try:
        return signatures.sign(described, key)
    except signatures.Unusable as e:
        raise errors.BadPackage(f"it cannot be signed: {e}") from e


def _node(value: str) -> dict[str, str]:
    kind, _, name = value.partition(":")
    if kind not in NODE_KINDS or not name:
        raise argparse.ArgumentTypeError(f"{value!r} is not KIND:PATH, as in socket:/dev/fpga0")
    return {"kind": kind, "name": name}
