# SPDX-License-Identifier: Apache-2.0
"""The failures of fpga-patch; ``code`` is the exit status."""

#: The exit status of ``doctor`` where something is missing.
MISSING = 7


class PatchError(Exception):
    """It cannot be done, and nothing is changed."""

    code = 5


class UnknownNovaError(PatchError):
    """There is no Nova, or none that a diff was made for."""

    code = 3


class ForeignChangeError(PatchError):
    """Files are neither as Nova shipped them nor as the diff leaves them."""

    code = 4


class InterruptedRunError(PatchError):
    """A run was killed in between; the next ``apply`` or ``revert`` finishes or undoes it."""

    code = 6


class BusyError(PatchError):
    """Another fpga-patch is at work on the same Nova."""

    code = 8
