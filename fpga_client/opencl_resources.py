# SPDX-License-Identifier: Apache-2.0
"""The resources of OpenCL from afar, as openstacksdk describes resources."""

from openstack import resource

from fpga_client.resources import FpgaResource


class OpenclNode(FpgaResource):
    """A node server.

    :ivar state: ``up`` or ``lost``
    :ivar reserved_for: the project that alone may use it; None for all
    :ivar boot: changes at each start
    """

    base_path = "/v1/opencl/nodes"
    resource_key = "node"
    resources_key = "nodes"

    state = resource.Body("state")
    address = resource.Body("address")
    certificate = resource.Body("certificate")
    reserved_for = resource.Body("reserved_for")
    boot = resource.Body("boot")
    devices = resource.Body("devices", type=list)
    seen_at = resource.Body("seen_at")
    created_at = resource.Body("created_at")
    updated_at = resource.Body("updated_at")


class OpenclDevice(FpgaResource):
    """A device of a node.

    :ivar number: on its node
    :ivar global_memory: bytes
    :ivar sessions: at once, at most
    :ivar memory: MiB of the workers of all sessions, at most
    """

    base_path = "/v1/opencl/devices"
    resource_key = "device"
    resources_key = "devices"

    number = resource.Body("number", type=int)
    vendor = resource.Body("vendor")
    version = resource.Body("version")
    driver_version = resource.Body("driver_version")
    type = resource.Body("type")
    compute_units = resource.Body("compute_units", type=int)
    global_memory = resource.Body("global_memory", type=int)
    sessions = resource.Body("sessions", type=int)
    memory = resource.Body("memory", type=int)
    node = resource.Body("node")
    node_id = resource.Body("node_id")
    state = resource.Body("state")
    used = resource.Body("used", type=int)
    used_memory = resource.Body("used_memory", type=int)


class OpenclSession(FpgaResource):
    """A session on a device.

    :ivar state: ``active``, ``closing``, ``closed``, ``expired`` or ``lost``
    :ivar address: host and port of the node, for TLS
    :ivar certificate: that the node shows, PEM
    :ivar memory: MiB of its workers
    :ivar ttl: seconds of the last renewal
    :ivar fault: `code` and `detail` of the reason why it was lost; None if it was not
    """

    base_path = "/v1/opencl/sessions"
    resource_key = "session"
    resources_key = "sessions"

    project_id = resource.Body("project_id")
    user_id = resource.Body("user_id")
    state = resource.Body("state")
    device_id = resource.Body("device_id")
    node = resource.Body("node")
    address = resource.Body("address")
    certificate = resource.Body("certificate")
    memory = resource.Body("memory", type=int)
    ttl = resource.Body("ttl", type=int)
    expires_at = resource.Body("expires_at")
    token_expires_at = resource.Body("token_expires_at")
    created_at = resource.Body("created_at")
    updated_at = resource.Body("updated_at")
    fault = resource.Body("fault", type=dict)
