# SPDX-License-Identifier: Apache-2.0
"""The resources of the service's API, as openstacksdk describes resources."""

import typing

from openstack import resource


class FpgaResource(resource.Resource):  # type: ignore[misc]
    """What all of them have.

    :cvar resource_key: the key of one of them in an answer
    :cvar resources_key: the key of a list of them
    """

    resource_key: typing.ClassVar[str]
    resources_key: typing.ClassVar[str]


class Bitstream(FpgaResource):
    """A bitstream package in Glance.

    :ivar project_id: the project that owns it
    :ivar type: the sort of accelerator
    """

    base_path = "/v1/bitstreams"
    resource_key = "bitstream"
    resources_key = "bitstreams"

    project_id = resource.Body("project_id")
    visibility = resource.Body("visibility")
    status = resource.Body("status")
    size = resource.Body("size", type=int)
    vendor = resource.Body("vendor")
    type = resource.Body("type")
    function = resource.Body("function")
    board = resource.Body("board")
    part = resource.Body("part")
    version = resource.Body("version")
    created_at = resource.Body("created_at")
    updated_at = resource.Body("updated_at")


class Validation(FpgaResource):
    """What the service read in a valid package."""

    base_path = "/v1/bitstreams/validate"

    manifest = resource.Body("manifest", type=dict)


class Card(FpgaResource):
    """An FPGA card of a host; its id is that of its resource provider in Placement."""

    base_path = "/v1/cards"
    resource_key = "card"
    resources_key = "cards"


class Region(FpgaResource):
    """An FPGA region of a host."""

    base_path = "/v1/regions"
    resource_key = "region"
    resources_key = "regions"


class Availability(FpgaResource):
    """How many servers of a flavor can be booted now.

    :ivar mine: how many of them the quotas of the user's project allow, if asked for
    :ivar error: the reason why they cannot be counted; free and total are None then
    """

    base_path = "/v1/availability"
    resource_key = "flavor"
    resources_key = "flavors"

    source = resource.Body("source")
    free = resource.Body("free", type=int)
    total = resource.Body("total", type=int)
    mine = resource.Body("mine", type=int)
    error = resource.Body("error")


class Sample(FpgaResource):
    """The availability of a flavor at one time."""

    resources_key = "samples"

    at = resource.Body("at")
    free = resource.Body("free", type=int)
    total = resource.Body("total", type=int)


class Trait(FpgaResource):
    """A trait that accelerators have in Placement."""

    base_path = "/v1/traits"
    resource_key = "trait"
    resources_key = "traits"
