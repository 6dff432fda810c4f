# SPDX-License-Identifier: Apache-2.0
"""Fetches bitstream images from Glance, by id and digest only.

keystoneauth1 is loaded when it is needed: it takes longer than everything else in `status`.
"""

import contextlib
import hashlib
import re
import tempfile
import typing
import uuid
from pathlib import Path

from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.locks import Deadline

GROUP = "glance"
CONTAINER_FORMAT = "fpga"

_CHUNK = 1024 * 1024
_REQUEST_TIMEOUT = 30.0  # seconds, unless [glance] timeout says otherwise
_DIGESTS = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512"})
_ADVICE = {
    401: "Glance or Keystone refused the credentials: check [glance] in fpga-cli.conf",
    403: "Glance does not permit it: give the user in [glance] of fpga-cli.conf access to it",
    404: "Glance has no such image, or does not show it to the user in [glance] of fpga-cli.conf",
    410: "its data is gone from Glance: upload it again",
}


def list_options() -> list[cfg.Opt]:
    """The options of group `glance`: those of keystoneauth1, with the password plugin's."""
    from keystoneauth1 import loading

    return [
        *loading.get_auth_common_conf_options(),
        *loading.get_session_conf_options(),
        *loading.get_adapter_conf_options(include_deprecated=False),
        *loading.get_auth_plugin_conf_options("v3password"),
    ]


def proper_id(image_id: str) -> str:
    """The id as Glance writes it; nothing else gets into a URL.

    :raises errors.ImageUnavailable: it is not a uuid
    """
    try:
        proper = str(uuid.UUID(image_id))
    except ValueError:
        proper = ""
    if not proper or proper != image_id.lower():
        raise errors.ImageUnavailable("it is not the id of a Glance image, which is a UUID")
    return proper


def fetch(conf: cfg.ConfigOpts, image_id: str, folder: Path, max_size: int) -> typing.BinaryIO:
    """The data of a bitstream image, checked, in a file that has no name and goes when closed.

    :param folder: where the file is; it needs room for the image
    :param max_size: bytes that the image may have
    :raises errors.ImageUnavailable: Glance does not have it, does not give it, or has something
        else than a bitstream package
    :raises errors.BadPackage: it is larger than max_size
    :raises errors.TimedOut: it took longer than fetch_timeout
    """
    deadline = Deadline(conf.fetch_timeout)
    image_id = proper_id(image_id)
    with _explained(), contextlib.ExitStack() as cleanup:
        adapter = _adapter(conf)
        image = _described(adapter, image_id)
        if int(image.get("size") or 0) > max_size:
            raise errors.BadPackage(f"it is larger than {max_size} bytes (max_size)")
        response = adapter.get(_path(adapter, f"{image_id}/file"), stream=True)
        cleanup.callback(response.close)
        file = cleanup.enter_context(tempfile.TemporaryFile(dir=folder))
        _copy(response, file, image, max_size, deadline)
        file.seek(0)
        cleanup.pop_all()
        response.close()
    return file


def _described(adapter: typing.Any, image_id: str) -> dict[str, typing.Any]:
    response = adapter.get(_path(adapter, image_id), headers={"Accept": "application/json"})
    try:
        image = response.json()
    except ValueError:
        image = None
    if not isinstance(image, dict) or image.get("id") != image_id:
        raise errors.ImageUnavailable("what answers at Glance's address is not Glance")
    held = image.get("container_format")
    if held != CONTAINER_FORMAT:
        raise errors.ImageUnavailable(
            f"its container format is {held}, not {CONTAINER_FORMAT}: it is no bitstream package"
        )
    if image.get("status") != "active":
        raise errors.ImageUnavailable(f"its status is {image.get('status')}, not active")
    if image.get("os_hash_algo") not in _DIGESTS or not image.get("os_hash_value"):
        raise errors.ImageUnavailable("Glance has no digest of it to check: upload it again")
    return image


def _copy(
    response: typing.Any,
    file: typing.BinaryIO,
    image: dict[str, typing.Any],
    max_size: int,
    deadline: Deadline,
) -> None:
    digest = hashlib.new(image["os_hash_algo"])
    size = 0
    for part in response.iter_content(_CHUNK):
        digest.update(part)
        size += len(part)
        file.write(part)
        if size > max_size:
            raise errors.BadPackage(f"it is larger than {max_size} bytes (max_size)")
        if deadline.passed:
            raise errors.TimedOut(
                f"its download took more than {deadline.seconds} seconds (fetch_timeout)"
            )
    if digest.hexdigest() != image["os_hash_value"]:
        raise errors.ImageUnavailable(
            f"the {size} bytes that came do not have the digest that Glance has on record"
        )


def _adapter(conf: cfg.ConfigOpts) -> typing.Any:
    from keystoneauth1 import loading

    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP, include_deprecated=False)
    conf.set_default("timeout", _REQUEST_TIMEOUT, GROUP)
    conf.set_default("service_type", "image", GROUP)
    try:
        auth = loading.load_auth_from_conf_options(conf, GROUP)
        if auth is None:
            raise errors.ImageUnavailable(
                "how to reach Glance is not configured: set auth_type and the rest in [glance] "
                "of fpga-cli.conf"
            )
        session = loading.load_session_from_conf_options(conf, GROUP, auth=auth)
        return loading.load_adapter_from_conf_options(conf, GROUP, session=session)
    except (cfg.Error, TypeError, ValueError) as e:
        raise errors.ImageUnavailable(f"[glance] in fpga-cli.conf cannot be used: {e}") from e


def _path(adapter: typing.Any, rest: str) -> str:
    # A catalogue may name Glance with or without the version.
    endpoint = adapter.get_endpoint() or ""
    versioned = re.search(r"/v2(\.\d+)?/?$", endpoint)
    return f"images/{rest}" if versioned else f"v2/images/{rest}"


@contextlib.contextmanager
def _explained() -> typing.Iterator[None]:
    import requests
    from keystoneauth1 import exceptions

    try:
        yield
    except exceptions.HttpError as e:
        advice = _ADVICE.get(e.http_status, f"Glance answered {e.http_status}: see its log")
        raise errors.ImageUnavailable(advice) from e
    except (exceptions.ConnectionError, requests.RequestException) as e:
        raise errors.ImageUnavailable(
            f"Glance or Keystone cannot be reached: {_cause(e)}; see whether it runs and what "
            "[glance] in fpga-cli.conf says"
        ) from e
    except exceptions.ClientException as e:
        raise errors.ImageUnavailable(
            f"Glance cannot be found or asked: {_cause(e)}; check [glance] in fpga-cli.conf"
        ) from e
    except OSError as e:
        raise errors.ImageUnavailable(f"it cannot be stored on this host: {e.strerror}") from e


def _cause(error: BaseException) -> str:
    """The first cause's words: of "connection refused", without the objects it went through."""
    text = str(error).replace("\n", " ")
    system = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text)
    return system.group(1) if system else text
