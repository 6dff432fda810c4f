# SPDX-License-Identifier: Apache-2.0
"""Fetches bitstream images from Glance, by id and digest only.

keystoneauth1 is loaded when it is needed: it takes longer than everything else in `status`.
"""

import contextlib
import dataclasses
import hashlib
import re
import typing
import uuid

from oslo_config import cfg

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.image.cache import Cache, Digest
from fpga_regions.image.tokens import Tokens
from fpga_regions.system.progress import Progress

GROUP = "glance"
CONTAINER_FORMAT = "fpga"

_CHUNK = 1024 * 1024
_REQUEST_TIMEOUT = 30.0  # seconds, unless [glance] timeout says otherwise
_STATUS_RETRIES = 2  # of an answer 503, after half a second and one, unless [glance] says otherwise
#: What Glance itself does not have; every host is answered the same.
_ABSENT = {
    404: "Glance has no such image, or does not show it to the user in {place}",
    410: "its data is gone from Glance: upload it again",
}
_ADVICE = {
    401: "Glance or Keystone refused the credentials: check {place}",
    403: "Glance or Keystone does not permit it: check the user in {place} and its roles",
    404: "what answers at the address of Glance or Keystone is another service: check {place}",
}

#: Where the way to Glance is configured.
PLACE = "[glance] of fpga-cli.conf"


@dataclasses.dataclass(frozen=True)
class Fetched:
    """An image that Glance gave.

    :param file: its data, open at its start, which has the digest that Glance has on record
    :param record: all that Glance says of it
    """

    file: typing.BinaryIO
    record: dict[str, typing.Any]

    @property
    def digest(self) -> Digest:
        """What Glance has on record, and the data has."""
        return _digest(self.record)


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


def fetch(conf: cfg.ConfigOpts, image_id: str, cache: Cache, max_size: int) -> Fetched:
    """A bitstream image, checked; downloaded unless its data is in the cache.

    That the image is there, and for the user in `[glance]`, is asked of Glance in either case.

    :param max_size: bytes that the image may have
    :raises errors.ImageUnavailable: Glance says that there is none, or has something else than a
        bitstream package
    :raises errors.ImageServiceUnavailable: this host cannot ask Glance, or cannot store the image
    :raises errors.BadPackage: it is larger than max_size
    :raises errors.TimedOut: it took longer than fetch_timeout
    """
    deadline = Deadline(conf.fetch_timeout)
    image_id = proper_id(image_id)
    with explained(advise=_absence):
        adapter = connect(conf)
        image = Tokens.of(conf).ask(adapter, lambda: _description(adapter, image_id))
        if image["size"] > max_size:
            raise errors.BadPackage(f"it is larger than {max_size} bytes (max_size)")

        def download(file: typing.BinaryIO) -> None:
            url = path(adapter, f"images/{image_id}/file")
            with contextlib.closing(adapter.get(url, stream=True)) as response:
                _copy(response, file, image, max_size, deadline)

        return Fetched(cache.obtain(_digest(image), download, deadline), image)


def _description(adapter: typing.Any, image_id: str) -> dict[str, typing.Any]:
    from keystoneauth1 import exceptions

    try:
        image = answer(adapter, f"images/{image_id}")
    except exceptions.NotFound as e:
        # Whatever is at a wrong address of Glance or Keystone answers so, too.
        if not _is_glance(adapter):
            why = _ADVICE[404].format(place=PLACE)
            raise errors.ImageServiceUnavailable(why) from e
        raise
    if image.get("id") != image_id or not isinstance(image.get("size") or 0, int):
        raise errors.ImageServiceUnavailable("what answers at Glance's address is not Glance")
    image["size"] = image.get("size") or 0
    held = image.get("container_format")
    if held != CONTAINER_FORMAT:
        raise errors.ImageUnavailable(
            f"its container format is {held}, not {CONTAINER_FORMAT}: it is not a bitstream package"
        )
    if image.get("status") != "active":
        raise errors.ImageUnavailable(f"its status is {image.get('status')}, not active")
    if not _digest(image).proper:
        raise errors.ImageUnavailable("Glance has no digest of it to check: upload it again")
    return image


def answer(adapter: typing.Any, rest: str) -> dict[str, typing.Any]:
    """The JSON object that Glance answers; empty for what is none."""
    response = adapter.get(path(adapter, rest), headers={"Accept": "application/json"})
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _is_glance(adapter: typing.Any) -> bool:
    """Whether Glance answers where it is asked for images; each release has this schema."""
    from keystoneauth1 import exceptions

    try:
        return answer(adapter, "schemas/image").get("name") == "image"
    except exceptions.NotFound:
        return False


def _absence(status: int, _text: str) -> str | None:
    reason = _ABSENT.get(status)
    return reason.format(place=PLACE) if reason else None


def _digest(image: dict[str, typing.Any]) -> Digest:
    return Digest(str(image.get("os_hash_algo")), str(image.get("os_hash_value")))


def _copy(
    response: typing.Any,
    file: typing.BinaryIO,
    image: dict[str, typing.Any],
    max_size: int,
    deadline: Deadline,
) -> None:
    digest = hashlib.new(image["os_hash_algo"])
    size = 0
    with Progress(f"fetching {image['id']}", image["size"]) as progress:
        for part in response.iter_content(_CHUNK):
            digest.update(part)
            size += len(part)
            file.write(part)
            progress.at(size)
            if size > max_size:
                raise errors.BadPackage(f"it is larger than {max_size} bytes (max_size)")
            if deadline.passed:
                raise errors.TimedOut(
                    f"its download took more than {deadline.seconds} seconds (fetch_timeout)"
                )
    if size < image["size"]:
        raise errors.ImageServiceUnavailable(
            f"its download ended after {size} of {image['size']} bytes"
        )
    if digest.hexdigest() != image["os_hash_value"]:
        raise errors.ImageUnavailable(
            f"the {size} bytes that came do not have the digest that Glance has on record"
        )


def connect(conf: cfg.ConfigOpts) -> typing.Any:
    """The way to Glance that `[glance]` describes: an adapter of keystoneauth1.

    :raises errors.ImageServiceUnavailable: it does not describe one
    """
    from keystoneauth1 import loading

    loading.register_auth_conf_options(conf, GROUP)
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP, include_deprecated=False)
    conf.set_default("timeout", _REQUEST_TIMEOUT, GROUP)
    conf.set_default("service_type", "image", GROUP)
    conf.set_default("status_code_retries", _STATUS_RETRIES, GROUP)
    try:
        auth = loading.load_auth_from_conf_options(conf, GROUP)
        if auth is None:
            raise errors.ImageServiceUnavailable(
                f"how to reach Glance is not configured: set auth_type and the rest in {PLACE}"
            )
        session = loading.load_session_from_conf_options(conf, GROUP, auth=auth)
        return loading.load_adapter_from_conf_options(conf, GROUP, session=session)
    except (cfg.Error, TypeError, ValueError) as e:
        raise errors.ImageServiceUnavailable(f"{PLACE} cannot be used: {e}") from e


def path(adapter: typing.Any, rest: str) -> str:
    """What to ask for: a catalogue may name Glance with or without the version."""
    endpoint = adapter.get_endpoint() or ""
    versioned = re.search(r"/v2(\.\d+)?/?$", endpoint)
    return rest if versioned else f"v2/{rest}"


@contextlib.contextmanager
def explained(
    place: str = PLACE, advise: typing.Callable[[int, str], str | None] | None = None
) -> typing.Iterator[None]:
    """Tell in one line what went wrong between here and Glance.

    :param place: where the way to Glance is configured
    :param advise: the reason where an HTTP status, with its text, is Glance's refusal of this very
        image; None where it is not
    :raises errors.ImageUnavailable: Glance refused this image, and would refuse it to any host
    :raises errors.ImageServiceUnavailable: anything else went wrong; Glance may have the image
    """
    import requests
    from keystoneauth1 import exceptions

    try:
        yield
    except exceptions.HttpError as e:
        refusal = advise(e.http_status, str(e.details or e.message)) if advise else None
        if refusal:
            raise errors.ImageUnavailable(refusal) from e
        advice = _ADVICE.get(e.http_status, f"Glance answered {e.http_status}: see its log")
        raise errors.ImageServiceUnavailable(advice.format(place=place)) from e
    except (exceptions.ConnectionError, requests.RequestException) as e:
        raise errors.ImageServiceUnavailable(
            f"Glance or Keystone cannot be reached: {_cause(e)}; see whether it runs and what "
            f"{place} says"
        ) from e
    except exceptions.ClientException as e:
        raise errors.ImageServiceUnavailable(
            f"Glance cannot be found or asked: {_cause(e)}; check {place}"
        ) from e
    except OSError as e:
        raise errors.ImageServiceUnavailable(
            f"it cannot be stored on this host, or read: {e.strerror or e}"
        ) from e


def _cause(error: BaseException) -> str:
    """The first cause's words: of "connection refused", without the objects it went through."""
    text = str(error).replace("\n", " ")
    system = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text)
    return system.group(1) if system else text
