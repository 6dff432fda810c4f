# SPDX-License-Identifier: Apache-2.0
"""Whether the operator lets a package be burnt: who signed it, and which bitfile it is."""

import contextlib
import typing

from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.package.reader import Package

NONE, PACKAGE, GLANCE, ANY = "none", "package", "glance", "any"

_STORED = "castellan:"

if typing.TYPE_CHECKING:
    from cryptography import x509

    from fpga_regions.image.glance import Fetched


def check(conf: cfg.ConfigOpts, package: Package, image: "Fetched | None") -> None:
    """See that a package has what require_signature and allowed_digests ask for.

    :param image: what it came in; None if it came from a file, which Glance did not sign
    :raises errors.BadPackage: it has not
    :raises errors.NotAccessible: a key or certificate that the operator named cannot be used
    """
    allowed = conf.packages.allowed_digests
    if allowed and package.digest not in allowed:
        raise errors.BadPackage(f"its bitfile, {package.digest}, is not in allowed_digests")
    required = conf.packages.require_signature
    if required == NONE:
        return
    reasons = []
    if required in (PACKAGE, ANY):
        reasons.append(package_fault(conf, package))
    if required in (GLANCE, ANY):
        reasons.append(_image_fault(conf, image))
    if all(reasons):
        text = "; ".join(reason for reason in reasons if reason)
        raise errors.BadPackage(f"require_signature is {required}, and {text}")


def package_fault(conf: cfg.ConfigOpts, package: Package) -> str | None:
    """Why the signature in a package is not of a key in package_keys; None if it is.

    :raises errors.NotAccessible: one of the keys cannot be used
    """
    # Not at the top: it takes as long to load as `status` takes in all.
    from fpga_regions.package import signatures

    with _usable("package_keys"):
        keys = signatures.public_keys(conf.packages.package_keys)
    try:
        signatures.check_package(package.manifest_text, package.signature, keys)
    except errors.BadPackage as e:
        return e.why
    return None


def _image_fault(conf: cfg.ConfigOpts, image: "Fetched | None") -> str | None:
    from fpga_regions.package import signatures

    if image is None:
        return "a file has no signature of Glance"
    with _usable("image_certificates"):
        certificates = _certificates(conf)
    try:
        signatures.check_image(image.file, image.record, certificates)
    except errors.BadPackage as e:
        return e.why
    return None


def _certificates(conf: cfg.ConfigOpts) -> "list[x509.Certificate]":
    """What image_certificates names, in files and in a key manager.

    :raises signatures.Unusable: one of them cannot be had
    """
    from fpga_regions.package import signatures

    references = conf.packages.image_certificates
    found = signatures.certificates(one for one in references if not one.startswith(_STORED))
    stored = [one.removeprefix(_STORED) for one in references if one.startswith(_STORED)]
    if not stored:
        return found
    try:
        from fpga_regions.image import key_manager
    except ImportError as e:
        raise signatures.Unusable(f"{e}: install fpga-nova[castellan]") from e
    return found + key_manager.certificates(conf, stored)


@contextlib.contextmanager
def _usable(option: str) -> typing.Iterator[None]:
    from fpga_regions.package import signatures

    try:
        yield
    except signatures.Unusable as e:
        raise errors.NotAccessible(f"the configuration cannot be used: {option}: {e}") from e
