# SPDX-License-Identifier: Apache-2.0
"""What a failure means for who typed the command, and what to do next."""

import typing

from keystoneauth1 import exceptions as keystone
from openstack import exceptions

from fpga_client import errors
from fpga_client.report import Report

_CREDENTIALS = "Check the OS_ variables or clouds.yaml: `openstack token issue` tries them."

#: The next step for a code of the service, or for a status without a code.
_ADVICE: dict[str | int, str] = {
    "fpga.bad_package": "`openstack fpga bitstream validate FILE` tries a package.",
    "fpga.bitstream_in_use": "Delete the servers that use it, and ask the owner of the flavor.",
    "fpga.forbidden": "Ask for the role, or use a project in which you have it.",
    "fpga.bitstream_not_accepted": "Ask your operator for `[fpga] program_bitstreams`.",
    "fpga.limit_reached": "Release a claim, or ask your operator for a higher limit.",
    "fpga.other_nodes": "With `--reboot if_needed` the server gets the new devices by a reboot.",
    "fpga.program_running": "`openstack fpga program list --server SERVER` shows it.",
    "fpga.not_published": "The service has just started; try again in half a minute.",
    "fpga.unauthorized": _CREDENTIALS,
    "fpga.version_not_supported": "Upgrade this client: `pip install --upgrade fpga-nova[client]`.",
    401: _CREDENTIALS,
    404: "Check the address of the service: `openstack catalog show fpga`.",
}
_LATER = "Try again later; if it stays so, give your operator the request id {}."


def explain(error: Exception) -> str:
    """One sentence for the failure, and one for the next step where there is one."""
    if isinstance(error, exceptions.HttpException):
        return _explain_refusal(error)
    if isinstance(error, (keystone.EndpointNotFound, keystone.EmptyCatalog)):
        return (
            "This cloud's catalogue has no service of type fpga. Ask your operator, or set"
            " fpga_endpoint_override in clouds.yaml."
        )
    if isinstance(error, keystone.ConnectionError):
        return f"The FPGA service cannot be reached: {error}"
    return str(error)


def _explain_refusal(error: exceptions.HttpException) -> str:
    found = errors.refusal(error.response)
    if found is None:
        # Who raised it without an answer gave a message of its own.
        text = error.message if error.response is None else _of_status(error.response)
        advice = _ADVICE.get(error.status_code or 0, "")
    else:
        text, advice = found.text, _ADVICE.get(found.code, "")
        if not advice and (error.status_code or 0) >= 500:
            advice = _LATER.format(found.request_id)
    return f"{text.rstrip('.')}. {advice}".rstrip()


def _of_status(response: typing.Any) -> str:
    return f"{response.url} answered {response.status_code} {response.reason}"


def warnings(report: Report[typing.Any]) -> typing.Iterator[str]:
    """What a reader of a report has to know beside its rows."""
    if report.stale:
        yield f"This is of {report.at}. The service could not look again, so it may be wrong."
    if not report.complete:
        yield "The service has just started: the totals may lack hosts that are full."
    if report.unreachable:
        names = ", ".join(report.unreachable)
        yield f"Regions may be missing: there was no answer from these hosts or servers: {names}"
