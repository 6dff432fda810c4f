# SPDX-License-Identifier: Apache-2.0
"""Takes certificates from a key manager (Barbican, Vault), by castellan and its options.

Needs fpga-nova[castellan], and is loaded only where `image_certificates` names one by its id there.
"""

import typing

from castellan import key_manager
from castellan.common import exception, utils
from cryptography import x509
from oslo_config import cfg

from fpga_regions.package.signatures import Unusable


def certificates(conf: cfg.ConfigOpts, ids: typing.Iterable[str]) -> list[x509.Certificate]:
    """The certificates of these ids.

    :raises Unusable: the key manager does not give one of them
    """
    try:
        # castellan's groups are read from our configuration file, and from no other.
        api = key_manager.API(conf)
        context = utils.credential_factory(conf)
        return [_certificate(api.get(context, one).get_encoded(), one) for one in ids]
    except exception.CastellanException as e:
        raise Unusable(f"the key manager of [key_manager] does not give it: {e}") from e


def _certificate(der: bytes | None, name: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der or b"")
    except ValueError as e:
        raise Unusable(f"{name} in the key manager is not an X.509 certificate") from e
