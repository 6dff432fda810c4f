# SPDX-License-Identifier: Apache-2.0
"""The numbers and words on which Nova's side and fpga-cli agree.

``status`` answers in a tenth of a second and imports this, so it imports next to nothing.
"""

import enum
import stat
import typing


class Exit(enum.IntEnum):
    """The exit statuses of fpga-cli, each with its meaning for people; they never change.

    31, 33, 64 and 127 are those of the command's first specification.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "Exit":
        """A status and its meaning."""
        status = int.__new__(cls, value)
        status._value_ = value
        status.meaning = meaning
        return status

    DONE = 0, "done"
    DEFECT = 1, "a defect in fpga-cli itself; --debug shows where"
    WRONG_COMMAND_LINE = 2, "wrong command line"
    NOT_ERASED = 31, "not erased, in quarantine"
    DIFFERS = 32, "ledger and hardware differ"
    UNKNOWN_REGION = 33, "unknown region"
    NO_MATCHING_HARDWARE = 64, "no matching hardware"
    NO_FREE_REGION = 65, "no free region"
    BAD_PACKAGE = 66, "invalid package"
    NO_IMAGE = 67, "no such bitstream image"
    PROGRAMMING_FAILED = 68, "programming failed"
    WRONG_FUNCTION = 69, "wrong function read back"
    TIMED_OUT = 70, "timed out"
    LEDGER_UNUSABLE = 71, "ledger cannot be used"
    RESTORED = 72, "previous bitstream restored"
    IMAGE_SERVICE_UNAVAILABLE = 73, "image service cannot be used from this host"
    HANDED_OUT = 74, "a guest may have the region"
    NOT_ACCESSIBLE = 127, "FPGA device not accessible"


#: Of the status that fpga-cli publishes in a file. It changes when what a reader relies on gets
#: another meaning; new names do not change it.
STATUS_FORMAT = 1

#: The kinds of nodes that a region may expose, each with the question whether a mode is of it.
NODE_KINDS: dict[str, typing.Callable[[int], bool]] = {
    "char": stat.S_ISCHR,
    "block": stat.S_ISBLK,
    "socket": stat.S_ISSOCK,
    "pipe": stat.S_ISFIFO,
}

#: By these, an owner tells the regions apart that it holds.
REGION_NUMBERS = range(1, 7)

#: How fpga-api reaches nova-compute on a broker of their own: exchange, topic, namespace and
#: version of the endpoint; the server is the host's name in Nova. `status` is older than the rest.
RPC_EXCHANGE = "fpga"
RPC_TOPIC = "fpga_host"
RPC_NAMESPACE = "host"
RPC_VERSION = "1.1"
RPC_STATUS_VERSION = "1.0"

#: The type of the consumer in Placement that a claim is, and the version that has such types.
CLAIM_CONSUMER = "FPGA_CLAIM"
CLAIM_MICROVERSION = "1.38"
