# SPDX-License-Identifier: Apache-2.0
"""What an instance asks for and what of it was granted: read from Nova once, then passed on.

Only what was granted counts for what is burnt. An instance asks for what its image names as if its
flavor did, unless its flavor names any; what it has it keeps, also where the policy changes.
"""

import dataclasses
import typing

from nova.compute import task_states, vm_states
from oslo_config import cfg

from fpga_nova import column, grants, host_status, options, request, server_states
from fpga_nova.grants import Grants, Rule

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF
options.register_opts(CONF)

#: A guest exists; a new one is made while the server has one of the tasks below.
_WITH_GUEST = server_states.LIVING | {vm_states.RESIZED, vm_states.SHELVED, vm_states.ERROR}
_NEW_GUEST = frozenset(
    {
        task_states.REBUILDING,
        task_states.REBUILD_BLOCK_DEVICE_MAPPING,
        task_states.REBUILD_SPAWNING,
        task_states.RESIZE_PREP,
        task_states.RESIZE_MIGRATING,
        task_states.RESIZE_MIGRATED,
        task_states.RESIZE_FINISH,
        task_states.RESIZE_REVERTING,
        task_states.SPAWNING,
    }
)


@dataclasses.dataclass(frozen=True)
class InstanceRequest:
    """What one instance asks for.

    :ivar owner: its uuid
    :ivar extra_specs: those of its flavor
    :ivar grants: what it was granted; None for an instance without a record
    :ivar accepted_bitstream: the bitstream that was accepted of its image; None where none was
    :ivar image_bitstream: the one that its image names, whether or not that counts
    :ivar device: the column ``fpga_device``
    :ivar open_to_image: it is at a step that may give it what its image names
    """

    owner: str
    extra_specs: dict[str, str]
    grants: Grants | None
    accepted_bitstream: str | None
    image_bitstream: str | None
    device: str | None
    open_to_image: bool

    @classmethod
    def of(cls, instance: "objects.Instance", flavor: typing.Any = None) -> "InstanceRequest":
        """Read an instance.

        :param flavor: another than that which the instance has now
        """
        metadata = instance.system_metadata
        return cls(
            instance.uuid,
            request.extra_specs_of(instance.flavor if flavor is None else flavor),
            grants.read(metadata),
            metadata.get(request.ACCEPTED_METADATA),
            metadata.get(request.IMAGE_METADATA),
            column.read(instance),
            _open_to_image(instance),
        )

    @property
    def flaw(self) -> str | None:
        """What is wrong with what its flavor says of regions, for people; None if nothing is."""
        return request.flaw(self.extra_specs)

    @property
    def account(self) -> dict[str, str]:
        """The extra specs by which its regions are counted: with its image's where that counts."""
        if request.region_count(self.extra_specs):
            return self.extra_specs
        image_id = self.accepted_bitstream
        unrecorded = self.grants is None and self.device
        if image_id is None and (unrecorded or self.open_to_image):
            image_id = self.image_bitstream
        return request.with_image(self.extra_specs, image_id)

    @property
    def functions(self) -> dict[int, str]:
        """The functions that its flavor asks for, by number of the region."""
        return request.functions_wanted(self.extra_specs)

    @property
    def bitstreams(self) -> dict[int, str]:
        """The bitstream images that it has a right to, by number of the region.

        Of one that was built before grants were on record, what it asks for; see `account`.
        """
        if self.grants is None:
            return request.bitstreams(self.account)
        return {number: grant.image_id for number, grant in self.grants.items()}

    def due(self, regions: typing.Mapping[int, host_status.Region]) -> Grants:
        """The grants on record; of an instance that was built before there were any, its due.

        That is what its flavor names, or else, where its image names any, what the ledger has for
        its first region: never what the image names now. Of a function, it is the bitstream that
        the ledger has: one that came back from another host may have had another one there.

        :param regions: those that it holds on this host, by number
        """
        if self.grants is not None:
            return {n: _as_held(grant, regions.get(n)) for n, grant in self.grants.items()}
        image_id = regions[1].image_id if self.image_bitstream and 1 in regions else None
        of_image = grants.of_image(image_id) if image_id else {}
        return grants.of_flavor(self.extra_specs) or of_image

    def granted(self, rights: Grants) -> "InstanceRequest":
        """The same with these grants."""
        bitstream = next((g.image_id for g in rights.values() if g.rule == Rule.IMAGE), None)
        if bitstream is None and rights:
            bitstream = self.accepted_bitstream
        return dataclasses.replace(self, grants=rights, accepted_bitstream=bitstream)

    def of_new_image(self) -> "InstanceRequest":
        """The same without what was accepted of the image that the instance had before."""
        of_image = any(grant.rule == Rule.IMAGE for grant in (self.grants or {}).values())
        if of_image or self.accepted_bitstream == self.image_bitstream:
            return self
        return dataclasses.replace(self, accepted_bitstream=None)

    def without(self, numbers: typing.Container[int]) -> "InstanceRequest":
        """The same without the regions of these numbers."""
        rest = {n: grant for n, grant in (self.grants or {}).items() if n not in numbers}
        return dataclasses.replace(self, grants=rest)

    def put_on_record(self, instance: "objects.Instance") -> None:
        """Write the grants in the place of those that are, before anything is burnt.

        :raises nova.exception.InstanceNotFound: the instance was deleted meanwhile
        """
        if self.note(instance):
            instance.save()

    def note(self, instance: "objects.Instance") -> bool:
        """The same but for the save; whether that changes anything."""
        metadata = instance.system_metadata
        old = {key: value for key, value in metadata.items() if key in grants.KEYS}
        new = grants.write(self.grants or {}, self.accepted_bitstream)
        if not new and (old or self.device):
            new = grants.NOTHING
        if new == old:
            return False
        for key in old.keys() - new.keys():
            del metadata[key]
        metadata.update(new)
        return True


def _as_held(grant: grants.Grant, region: host_status.Region | None) -> grants.Grant:
    if grant.rule != Rule.FUNCTION or region is None or region.image_id is None:
        return grant
    return dataclasses.replace(grant, image_id=region.image_id)


def _open_to_image(instance: "objects.Instance") -> bool:
    if not CONF.fpga.image_bitstreams:
        return False
    return instance.vm_state not in _WITH_GUEST or instance.task_state in _NEW_GUEST
