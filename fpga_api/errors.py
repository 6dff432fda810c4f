# SPDX-License-Identifier: Apache-2.0
"""Failures of the service: each has a stable code, and one HTTP status.

Codes never change and are never used for something else; clients compare them.
"""

import typing


class ApiError(Exception):
    """A request failed; the message is for the user who made it.

    :cvar code: stable name of the failure
    :cvar status: HTTP status
    :cvar title: the failure in a few words, the same for all requests
    """

    code: typing.ClassVar[str]
    status: typing.ClassVar[int]
    title: typing.ClassVar[str]

    @property
    def detail(self) -> str:
        """What failed, and the reason, for people."""
        return str(self)


class BadRequest(ApiError):
    """The query, a header or the body is not what the route takes."""

    code, status, title = "fpga.bad_request", 400, "Bad request"


class Unauthorized(ApiError):
    """There is no token, or not a valid one."""

    code, status, title = "fpga.unauthorized", 401, "Authentication required"


class Forbidden(ApiError):
    """Policy does not let this user do it."""

    code, status, title = "fpga.forbidden", 403, "Forbidden"


class BitstreamNotAccepted(ApiError):
    """The operator does not accept this bitstream for servers that run."""

    code, status, title = "fpga.bitstream_not_accepted", 403, "Bitstream not accepted"


class NotFound(ApiError):
    """There is no such object, or none that this user sees."""

    code, status, title = "fpga.not_found", 404, "Not found"


class MethodNotAllowed(ApiError):
    """The resource has no such method."""

    code, status, title = "fpga.method_not_allowed", 405, "Method not allowed"


class NotAcceptable(ApiError):
    """The service does not have the version that the request asks for."""

    code, status, title = "fpga.version_not_supported", 406, "Version not supported"


class TooSlow(ApiError):
    """The body did not arrive, or not all of it."""

    code, status, title = "fpga.body_incomplete", 408, "Body incomplete"


class BitstreamInUse(ApiError):
    """A flavor or a region uses the bitstream."""

    code, status, title = "fpga.bitstream_in_use", 409, "Bitstream in use"


class GlanceRefused(ApiError):
    """Glance has something against it; the detail is Glance's."""

    code, status, title = "fpga.glance_refused", 409, "Refused by Glance"


class IdTaken(ApiError):
    """Another claim, program, session or node has the id or the name that the request chose."""

    code, status, title = "fpga.id_taken", 409, "Id taken"


class NoneFree(ApiError):
    """No accelerator that fits is free."""

    code, status, title = "fpga.none_free", 409, "None free"


class ClaimEnded(ApiError):
    """The claim is released, expired or failed."""

    code, status, title = "fpga.claim_ended", 409, "Claim ended"


class SessionEnded(ApiError):
    """The session of OpenCL is closed, expired or lost."""

    code, status, title = "fpga.session_ended", 409, "Session ended"


class NodeUnknown(ApiError):
    """The node of OpenCL is not registered, or has started again since."""

    code, status, title = "fpga.node_unknown", 409, "Node not registered"


class ServerBusy(ApiError):
    """Something else is being done with the server."""

    code, status, title = "fpga.server_busy", 409, "Server busy"


class ServerState(ApiError):
    """The server is in a state in which its regions stay as they are."""

    code, status, title = "fpga.server_state", 409, "Wrong state of the server"


class ServerMoved(ApiError):
    """The server is not on the host on which Nova has it."""

    code, status, title = "fpga.server_moved", 409, "Server moved"


class ProgramRunning(ApiError):
    """Another program of the server is not at its end."""

    code, status, title = "fpga.program_running", 409, "Program running"


class NoRegion(ApiError):
    """The server has no region of this number."""

    code, status, title = "fpga.no_region", 409, "No such region"


class OtherNodes(ApiError):
    """The bitstream has other devices than the region, and a container keeps those it has."""

    code, status, title = "fpga.other_nodes", 409, "Other devices"


class HostTooOld(ApiError):
    """The host of the server has a release of fpga-nova without this."""

    code, status, title = "fpga.host_too_old", 409, "Host too old"


class LengthRequired(ApiError):
    """The body's length is in no header."""

    code, status, title = "fpga.length_required", 411, "Content-Length required"


class TooLarge(ApiError):
    """The body is larger than the operator allows, or the project's quota in Glance is used up."""

    code, status, title = "fpga.too_large", 413, "Too large"


class LimitReached(ApiError):
    """The project has as many claims or sessions as its limit in Keystone allows."""

    code, status, title = "fpga.limit_reached", 413, "Limit reached"


class UnsupportedMediaType(ApiError):
    """The body's Content-Type is not one that the route takes."""

    code, status, title = "fpga.unsupported_media_type", 415, "Unsupported media type"


class BadPackage(ApiError):
    """The body is not a valid bitstream package."""

    code, status, title = "fpga.bad_package", 422, "Invalid bitstream package"


class InternalError(ApiError):
    """A fault of the service; its log has it under the id of the request."""

    code, status, title = "fpga.internal_error", 500, "Internal error"


class Unavailable(ApiError):
    """Something that the service needs does not answer; the request may be repeated later."""

    code, status, title = "fpga.unavailable", 503, "Service unavailable"


class NotPublished(Unavailable):
    """The engine has not published this document yet."""

    code, title = "fpga.not_published", "Not yet known"


class CacheUnavailable(Unavailable):
    """memcached does not answer."""

    code, title = "fpga.cache_unavailable", "Cache unavailable"


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code, title = "fpga.database_unavailable", "Database unavailable"


class KeystoneUnavailable(Unavailable):
    """Keystone does not answer, so that no token can be validated."""

    code, title = "fpga.keystone_unavailable", "Keystone unavailable"


class GlanceUnavailable(Unavailable):
    """Glance does not answer."""

    code, title = "fpga.glance_unavailable", "Glance unavailable"


class CloudUnavailable(Unavailable):
    """Another service of the cloud does not answer the engine."""

    code, title = "fpga.cloud_unavailable", "Cloud unavailable"


class QuotaUnavailable(Unavailable):
    """Nova, Keystone or Placement does not answer, so that the project's quota is not known."""

    code, title = "fpga.quota_unavailable", "Quota unavailable"


class BrokerUnavailable(Unavailable):
    """The broker by which the engine asks the hosts does not answer."""

    code, title = "fpga.broker_unavailable", "Broker unavailable"


class Busy(Unavailable):
    """Too many requests wait for other services of the cloud, of which one may be slow."""

    code, title = "fpga.busy", "Too many requests wait"


class HostUnavailable(Unavailable):
    """The host does not answer, or cannot ask whom it needs."""

    code, title = "fpga.host_unavailable", "Host unavailable"


class ReaderUnavailable(Unavailable):
    """The process that reads packages did not come to its end; it says nothing of the package."""

    code, title = "fpga.reader_unavailable", "Package reader unavailable"


def document(error: ApiError, request_id: str | None) -> dict[str, typing.Any]:
    """The body of the answer to a request that failed."""
    return {
        "error": {
            "code": error.code,
            "status": error.status,
            "title": error.title,
            "detail": error.detail,
            "request_id": request_id,
        }
    }


def of_status(status: int, detail: str) -> ApiError:
    """The failure for an HTTP status that a library chose."""
    kinds: dict[int, type[ApiError]] = {
        kind.status: kind
        for kind in (
            *(BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable),
            *(TooSlow, LengthRequired, TooLarge, UnsupportedMediaType, Unavailable),
        )
    }
    return kinds.get(status, BadRequest if status < 500 else InternalError)(detail)
