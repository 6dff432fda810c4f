# SPDX-License-Identifier: Apache-2.0
"""The resources of the service's API, as openstacksdk describes resources."""

import typing

from openstack import resource


class FpgaResource(resource.Resource):  # type: ignore[misc]
    """What all of them have.

    :cvar resource_key: the key of one of them in an answer; None where the answer is the resource
    :cvar resources_key: the key of a list of them
    """

    resource_key: typing.ClassVar[str | None] = None
    resources_key: typing.ClassVar[str]


class Bitstream(FpgaResource):
    """A bitstream package in Glance.

    :ivar project_id: the project that owns it
    :ivar type: the sort of accelerator
    :ivar manifest: of the package; None in lists, and where it is not known
    """

    base_path = "/v1/bitstreams"
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
    manifest = resource.Body("manifest", type=dict)
    created_at = resource.Body("created_at")
    updated_at = resource.Body("updated_at")


class Validation(FpgaResource):
    """What the service read in a valid package.

    :ivar digest: of the bitfile
    """

    base_path = "/v1/bitstreams/validate"

    manifest = resource.Body("manifest", type=dict)
    digest = resource.Body("digest")


class Card(FpgaResource):
    """An FPGA card of a host; its id is that of its resource provider in Placement.

    :ivar devices: names of the card on its host; several if the host's cards share a provider
    :ivar total: regions; None, as the other counts, if the host did not answer
    """

    base_path = "/v1/cards"
    resource_key = "card"
    resources_key = "cards"

    host = resource.Body("host")
    devices = resource.Body("devices", type=list)
    vendors = resource.Body("vendors", type=list)
    boards = resource.Body("boards", type=list)
    total = resource.Body("total", type=int)
    free = resource.Body("free", type=int)
    used = resource.Body("used", type=int)
    quarantined = resource.Body("quarantined", type=int)


class Region(FpgaResource):
    """An FPGA region of a host.

    :ivar number: which of its server's regions it is
    :ivar at: when its host looked
    :ivar host: None, as what follows, for users who do not see hosts
    """

    base_path = "/v1/regions"
    resource_key = "region"
    resources_key = "regions"

    state = resource.Body("state")
    server_id = resource.Body("server_id")
    claim_id = resource.Body("claim_id")
    project_id = resource.Body("project_id")
    number = resource.Body("number", type=int)
    bitstream_id = resource.Body("bitstream_id")
    function = resource.Body("function")
    digest = resource.Body("digest")
    vendor = resource.Body("vendor")
    board = resource.Body("board")
    part = resource.Body("part")
    driver = resource.Body("driver")
    is_simulated = resource.Body("simulated", type=bool)
    is_healthy = resource.Body("healthy", type=bool)
    since = resource.Body("since")
    at = resource.Body("at")
    nodes = resource.Body("nodes", type=list)
    host = resource.Body("host")
    card = resource.Body("card")
    device = resource.Body("device")
    address = resource.Body("address")
    quarantine = resource.Body("quarantine")
    reason = resource.Body("reason")
    is_withheld = resource.Body("withheld", type=bool)


class Program(FpgaResource):
    """Another bitstream for a region of a server that runs.

    :ivar previous_id: the bitstream that the region had before
    :ivar reboot: ``never`` or ``if_needed``
    :ivar state: ``requested``, ``running``, ``done``, ``failed`` or ``lost``
    :ivar is_restored: whether the function from before is back after a failure
    :ivar is_reboot_required: whether the server sees its function after a reboot alone
    :ivar fault: `code` and `detail` of the failure; None if there is none
    """

    base_path = "/v1/programs"
    resource_key = "program"
    resources_key = "programs"

    project_id = resource.Body("project_id")
    user_id = resource.Body("user_id")
    server_id = resource.Body("server_id")
    number = resource.Body("number", type=int)
    bitstream_id = resource.Body("bitstream_id")
    previous_id = resource.Body("previous_id")
    reboot = resource.Body("reboot")
    state = resource.Body("state")
    region = resource.Body("region")
    is_restored = resource.Body("restored", type=bool)
    is_reboot_required = resource.Body("reboot_required", type=bool)
    created_at = resource.Body("created_at")
    updated_at = resource.Body("updated_at")
    fault = resource.Body("fault", type=dict)


class Claim(FpgaResource):
    """An accelerator that somebody holds without a server.

    :ivar state: ``allocating``, ``programming``, ``active``, ``releasing``, ``released``,
        ``expired`` or ``failed``
    :ivar card: resource provider of the card, or of its host
    :ivar device: name of the card on its host
    :ivar address: PCI address of the card; None if it has none
    :ivar ttl: seconds of the last renewal
    :ivar fault: `code` and `detail` of the failure; None if there is none
    """

    base_path = "/v1/claims"
    resource_key = "claim"
    resources_key = "claims"

    project_id = resource.Body("project_id")
    user_id = resource.Body("user_id")
    state = resource.Body("state")
    host = resource.Body("host")
    card = resource.Body("card")
    region = resource.Body("region")
    bitstream_id = resource.Body("bitstream_id")
    device = resource.Body("device")
    address = resource.Body("address")
    board = resource.Body("board")
    vendor = resource.Body("vendor")
    part = resource.Body("part")
    function = resource.Body("function")
    nodes = resource.Body("nodes", type=list)
    ttl = resource.Body("ttl", type=int)
    expires_at = resource.Body("expires_at")
    created_at = resource.Body("created_at")
    updated_at = resource.Body("updated_at")
    fault = resource.Body("fault", type=dict)


class Availability(FpgaResource):
    """How many servers of a flavor can be booted now.

    :ivar total: how many could be, if there were no others
    :ivar mine: how many of the free ones the quotas of the user's project allow, if asked for
    :ivar accelerators: what a server gets, by resource class or alias
    :ivar error: `code` and `detail` of the reason why they cannot be counted; free and total are
        None then
    """

    base_path = "/v1/availability"
    resource_key = "flavor"
    resources_key = "flavors"

    is_public = resource.Body("public", type=bool)
    free = resource.Body("free", type=int)
    total = resource.Body("total", type=int)
    mine = resource.Body("mine", type=int)
    source = resource.Body("source")
    accelerators = resource.Body("accelerators", type=dict)
    error = resource.Body("error", type=dict)


class Sample(FpgaResource):
    """The availability of a flavor at one time."""

    resources_key = "samples"

    at = resource.Body("at")
    free = resource.Body("free", type=int)
    total = resource.Body("total", type=int)


class Trait(FpgaResource):
    """A trait that accelerators have in Placement."""

    base_path = "/v1/traits"
    resources_key = "traits"
