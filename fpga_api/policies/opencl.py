# SPDX-License-Identifier: Apache-2.0
"""Who registers nodes of OpenCL, who sees their devices, and who has sessions there."""

from fpga_api.policies import base

REGISTER = "fpga:opencl:nodes:register"
HEARTBEAT = "fpga:opencl:nodes:heartbeat"
UNREGISTER = "fpga:opencl:nodes:unregister"
LIST_NODES = "fpga:opencl:nodes:list"
SHOW_NODE = "fpga:opencl:nodes:show"
LIST_DEVICES = "fpga:opencl:devices:list"
SHOW_DEVICE = "fpga:opencl:devices:show"
CREATE = "fpga:opencl:sessions:create"
LIST = "fpga:opencl:sessions:list"
SHOW = "fpga:opencl:sessions:show"
RENEW = "fpga:opencl:sessions:renew"
TOKEN = "fpga:opencl:sessions:token"  # noqa: S105 - the name of a rule
CLOSE = "fpga:opencl:sessions:close"

#: The user that registered the node.
_NODE = f"(role:service and user_id:%(user_id)s) or {base.ADMIN}"

_NODES, _DEVICES, _SESSIONS = "/v1/opencl/nodes", "/v1/opencl/devices", "/v1/opencl/sessions"
_ONE_NODE, _ONE = f"{_NODES}/{{node_id}}", f"{_SESSIONS}/{{session_id}}"

RULES = [
    base.rule(REGISTER, _NODE, "Register a node, or register it again.", f"PUT {_ONE_NODE}"),
    base.rule(
        HEARTBEAT,
        _NODE,
        "Report that a node is there, and get the sessions that it serves.",
        f"POST {_ONE_NODE}/heartbeats",
    ),
    base.rule(UNREGISTER, _NODE, "Unregister a node.", f"DELETE {_ONE_NODE}"),
    base.rule(
        LIST_NODES,
        f"role:service or {base.MANAGER}",
        "List the nodes that one sees.",
        f"GET {_NODES}",
    ),
    base.rule(
        SHOW_NODE,
        f"(role:service and user_id:%(user_id)s) or {base.MANAGER}",
        "See a node: it is in the list then.",
        f"GET {_ONE_NODE}",
    ),
    base.rule(LIST_DEVICES, base.READER, "List the devices that one sees.", f"GET {_DEVICES}"),
    base.rule(
        SHOW_DEVICE,
        f"(role:reader and True:%(shared)s) or {base.OWNER_READER} or {base.MANAGER}",
        "See a device: that of a node for all projects, or for the user's one.",
        f"GET {_DEVICES}/{{device_id}}",
    ),
    base.rule(CREATE, base.MEMBER, "Open a session on a device.", f"POST {_SESSIONS}"),
    base.rule(LIST, base.READER, "List the sessions that one sees.", f"GET {_SESSIONS}"),
    base.rule(SHOW, base.OWNER_READER, "See a session: it is in the list then.", f"GET {_ONE}"),
    base.rule(RENEW, base.OWNER_MEMBER, "Change when a session expires.", f"PATCH {_ONE}"),
    base.rule(
        TOKEN,
        base.OWNER_MEMBER,
        "Get a new token for a session; the one before opens nothing more.",
        f"POST {_ONE}/tokens",
    ),
    base.rule(CLOSE, base.OWNER_MEMBER, "End a session.", f"DELETE {_ONE}"),
]
