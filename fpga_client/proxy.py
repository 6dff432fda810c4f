# SPDX-License-Identifier: Apache-2.0
"""The proxy of openstacksdk: ``connection.fpga``."""

import dataclasses
import re
import typing
import urllib.parse

from openstack import exceptions

from fpga_client.asking import path_of, present
from fpga_client.opencl import OpenclProxy
from fpga_client.report import Report
from fpga_client.resources import (
    Availability,
    Bitstream,
    Card,
    Claim,
    FpgaResource,
    Program,
    Region,
    Sample,
    Trait,
    Validation,
)

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_R = typing.TypeVar("_R", bound=FpgaResource)


class Proxy(OpenclProxy):
    """What users and operators ask of the service.

    Each method raises :class:`openstack.exceptions.HttpException` where the service refuses; its
    message is the service's reason.
    """

    def bitstreams(self, **query: typing.Any) -> Report[Bitstream]:
        """The bitstreams that the user may see.

        :param query: ``function``, ``board``, ``vendor`` or ``type``
        """
        return self._report(Bitstream, query)

    def get_bitstream(self, bitstream_id: str) -> Bitstream:
        """One bitstream by its id."""
        return self._one(Bitstream, bitstream_id)

    def find_bitstream(self, name_or_id: str) -> Bitstream:
        """The bitstream with this id, or the only one with this name.

        :raises openstack.exceptions.NotFoundException: there is no such bitstream
        :raises openstack.exceptions.DuplicateResource: several have this name
        """
        if _UUID.fullmatch(name_or_id):
            return self.get_bitstream(name_or_id)
        return self.get_bitstream(_choose(self.bitstreams(), name_or_id).id)

    def create_bitstream(
        self,
        package: typing.BinaryIO,
        name: str | None = None,
        visibility: str | None = None,
        server: str | None = None,
    ) -> Bitstream:
        """Check a package and upload it to Glance.

        :param package: a seekable file
        :param name: of the image; the name in the manifest by default
        :param visibility: ``private`` (the default), ``community`` or ``public``
        :param server: id of the server whose programs alone need it: it is hidden, and deleted
            when another program has taken its place, or with the server
        """
        query = {"name": name, "visibility": visibility, "server": server}
        answer = self._upload(Bitstream.base_path, package, query)
        return self._existing(Bitstream, answer)

    def validate_bitstream(self, package: typing.BinaryIO) -> Validation:
        """Check a package without an upload.

        :param package: a seekable file
        """
        return self._existing(Validation, self._upload(Validation.base_path, package, {}))

    def delete_bitstream(self, bitstream_id: str) -> None:
        """Delete a bitstream that no flavor and no region uses."""
        self.delete(path_of(Bitstream, bitstream_id))

    def cards(self, host: str | None = None) -> Report[Card]:
        """The FPGA cards of all hosts, or of one."""
        return self._report(Card, {"host": host})

    def get_card(self, card_id: str) -> Card:
        """One card by the id of its resource provider."""
        return self._one(Card, card_id)

    def regions(self, **query: typing.Any) -> Report[Region]:
        """The regions of the user's servers; for an operator, those of all hosts.

        :param query: ``host``, ``server`` or ``state``
        """
        return self._report(Region, query)

    def get_region(self, region_id: str, host: str | None = None) -> Region:
        """One region by its id.

        :param host: needed where several hosts have a region of this id
        """
        return self._one(Region, region_id, {"host": host})

    def create_program(self, server_id: str, bitstream_id: str, **options: typing.Any) -> Program:
        """Program a region of a server that runs.

        :param options: ``number`` of the region, ``reboot`` as ``if_needed``, ``id`` of the program
        """
        body = {"bitstream": bitstream_id, **present(options)}
        path = f"/v1/servers/{urllib.parse.quote(server_id, safe='')}/programs"
        return self._existing(Program, self.post(path, json=body).json()["program"])

    def programs(self, **query: typing.Any) -> Report[Program]:
        """The programs of the servers of the user's project; for an administrator, all.

        :param query: ``server`` or ``project``
        """
        return self._report(Program, query)

    def get_program(self, program_id: str) -> Program:
        """One program by its id."""
        return self._one(Program, program_id)

    def create_claim(self, **request: typing.Any) -> Claim:
        """Claim an accelerator.

        :param request: any of ``id``, ``host``, ``device``, ``type``, ``resource_class``,
            ``traits``, ``bitstream`` and ``ttl``
        """
        answer = self.post(Claim.base_path, json=present(request)).json()
        return self._existing(Claim, answer["claim"])

    def claims(self, **query: typing.Any) -> Report[Claim]:
        """The claims of the user's project; for an administrator, all.

        :param query: ``state`` or ``project``
        """
        return self._report(Claim, query)

    def get_claim(self, claim_id: str) -> Claim:
        """One claim by its id."""
        return self._one(Claim, claim_id)

    def renew_claim(self, claim_id: str, ttl: int) -> Claim:
        """Have a claim expire some seconds from now."""
        answer = self.patch(path_of(Claim, claim_id), json={"ttl": ttl}).json()
        return self._existing(Claim, answer["claim"])

    def release_claim(self, claim_id: str) -> Claim:
        """Release a claim; its region is erased."""
        return self._existing(Claim, self.delete(path_of(Claim, claim_id)).json()["claim"])

    def availability(self, mine: bool = False, zone: str | None = None) -> Report[Availability]:
        """The flavors with accelerators, and how many servers of each can be booted.

        :param mine: whether to count what the quotas of the user's project allow
        :param zone: availability zone; None for all hosts
        """
        return self._report(Availability, {"mine": "true" if mine else None, "zone": zone})

    def find_availability(
        self, name_or_id: str, mine: bool = False, zone: str | None = None
    ) -> Report[Availability]:
        """The report with the flavor of this id, or the only one of this name, and no other.

        :raises openstack.exceptions.NotFoundException: there is no such flavor
        :raises openstack.exceptions.DuplicateResource: several have this name
        """
        report = self.availability(mine, zone)
        return dataclasses.replace(report, items=(_choose(report, name_or_id),))

    def availability_history(self, flavor_id: str) -> tuple[Sample, ...]:
        """The samples of a flavor's availability, oldest first."""
        answer = self.get(f"{path_of(Availability, flavor_id)}/history").json()
        return tuple(self._existing(Sample, one) for one in answer["samples"])

    def traits(self) -> Report[Trait]:
        """The traits of accelerators that a flavor may require."""
        return self._report(Trait, {})

    def _upload(
        self, path: str, package: typing.BinaryIO, query: dict[str, str | None]
    ) -> dict[str, typing.Any]:
        response = self.post(
            path,
            data=package,
            params=present(query),
            headers={"Content-Type": "application/zip"},
        )
        answer: dict[str, typing.Any] = response.json()
        return answer


def _choose(report: Report[_R], name_or_id: str) -> _R:
    by_id = [one for one in report if one.id == name_or_id]
    found = by_id or [one for one in report if one.name == name_or_id]
    if not found:
        raise exceptions.NotFoundException(f"there is nothing with the id or name {name_or_id!r}")
    if len(found) > 1:
        raise exceptions.DuplicateResource(
            f"{len(found)} of them have the name {name_or_id!r}; give the id"
        )
    return found[0]
