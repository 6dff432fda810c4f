# SPDX-License-Identifier: Apache-2.0
"""What words of extra specs mean, looked up in the configuration, in Glance and in Cyborg."""

import json
import time
import typing

from oslo_config import cfg

from fpga_api import errors
from fpga_api.availability import specs
from fpga_api.availability.cloud import Cloud
from fpga_api.availability.demand import UncountableError
from fpga_api.peers import MissingError
from fpga_nova import traits

#: Seconds for which an image or a device profile is not looked up again.
_REMEMBERED = 300

Entry = typing.TypeVar("Entry")


class Dictionary:
    """Looks words up, and remembers them for a while.

    :param conf: options of `fpga_api.options`
    :raises ValueError: an alias of the configuration is not valid
    """

    def __init__(
        self,
        cloud: Cloud,
        conf: cfg.ConfigOpts,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._cloud = cloud
        self._options = conf.availability
        self._clock = clock
        aliases = (specs.parse_alias(text) for text in self._options.pci_alias)
        self._aliases = {one.name: one for one in aliases}
        self._images: dict[str, tuple[float, frozenset[str]]] = {}
        self._profiles: dict[str, tuple[float, list[dict[str, str]]]] = {}

    def terms(self) -> specs.Terms:
        """What `specs.demand` needs."""
        return specs.Terms(
            self._aliases,
            self._options.request_regions,
            self._options.request_quota,
            self._traits_of_image,
            self._profile,
        )

    def _traits_of_image(self, image_id: str) -> frozenset[str]:
        return self._look_up(image_id, self._images, self._read_image, "fpga.bitstream")

    def _profile(self, name: str) -> list[dict[str, str]]:
        return self._look_up(
            name, self._profiles, self._cloud.device_profile, "fpga.device_profile"
        )

    def _look_up(
        self,
        key: str,
        memory: dict[str, tuple[float, Entry]],
        read: typing.Callable[[str], Entry],
        code: str,
    ) -> Entry:
        """What is remembered, or read; if the service does not answer, what was read before.

        :raises UncountableError: there is nothing
        """
        known = memory.get(key)
        if known and self._clock() - known[0] < _REMEMBERED:
            return known[1]
        try:
            entry = read(key)
        except MissingError as e:
            memory.pop(key, None)
            raise UncountableError(f"{code}_missing", str(e)) from e
        except errors.CloudUnavailable as e:
            if known:
                return known[1]
            raise UncountableError(f"{code}_unknown", str(e)) from e
        memory[key] = self._clock(), entry
        return entry

    def _read_image(self, image_id: str) -> frozenset[str]:
        """As scheduler_filters.request_filter reads it: a flawed manifest requires nothing."""
        if not self._options.image_traits:
            return frozenset()
        image = self._cloud.image(image_id)
        values = {
            "vendor": image.get("vendor"),
            "board": image.get("board") or _board_of(image.get("manifest")),
        }
        return frozenset(
            traits.name(kind, str(values[kind]))
            for kind in self._options.image_traits
            if values[kind]
        )


def _board_of(manifest: typing.Any) -> str | None:
    try:
        return str(json.loads(manifest)["target"]["board"]) or None
    except (ValueError, LookupError, TypeError):
        return None
