# SPDX-License-Identifier: Apache-2.0
"""Examples of each verb: the help and the man page show them."""

PROGRAM = "fpga-cli.py"

_REGION = "a0399bc1-cb67-4548-b0b8-aa95a91402d3"
_IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
_INSTANCE = "1a4c6fc8-5a64-4b6b-a1d5-7c9f0a1f7a05"
_CLAIM = "5f0a8d3e-3f5c-4d55-8d1b-0a4f6f1b2c77"

#: For the command and for each verb: lines to type, and what each does.
EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "": [
        (
            f"burn {_IMAGE}",
            "fetches the bitstream image from Glance, programs a free region, prints its id",
        ),
        (f"erase {_REGION}", "erases that region"),
        ("status", "prints how many regions are in use"),
    ],
    "burn": [
        (f"burn {_IMAGE}", "programs a free region and prints its id"),
        (f"burn {_IMAGE} --device emulator0", "the same, on that card"),
        (
            f"burn {_IMAGE} --owner {_INSTANCE}",
            "for an instance; the same call again gives the same region",
        ),
        (f"burn {_IMAGE} --owner {_INSTANCE} --number 2", "a second region for that instance"),
        ("burn --file crc32.zip", "from a file, with no OpenStack at all"),
        (
            "burn --dry-run --file crc32.zip",
            "names the region that a burn would take, and why not the others",
        ),
    ],
    "replace": [
        (
            f"replace {_REGION} {_IMAGE} --owner {_INSTANCE}",
            "programs that region of the instance anew; after a failure, the previous bitstream "
            "is back in place",
        ),
        (
            f"replace {_REGION} {_IMAGE} --owner {_INSTANCE} --same-nodes",
            "the same, but only if the bitstream exposes the same nodes",
        ),
    ],
    "hold": [
        (f"hold --owner {_CLAIM}", "holds a free region for a claim, and prints its id"),
        (f"hold --owner {_CLAIM} --device emulator0", "the same, on that card"),
        (f"erase --owner {_CLAIM}", "releases it"),
    ],
    "disconnect": [
        (
            f"disconnect --owner {_INSTANCE}",
            "closes the connections to that instance's regions of the emulator, once",
        ),
    ],
    "erase": [
        (f"erase {_REGION}", "erases that region, which no guest may have"),
        (
            f"erase --owner {_INSTANCE}",
            "erases all regions of that instance, once no guest has them",
        ),
        (f"erase {_REGION} --owner {_INSTANCE}", "erases that region if that instance holds it"),
    ],
    "status": [
        ("status", "prints how many regions are in use"),
        ("status --format json", "prints all that is known of each region"),
    ],
    "describe": [
        (f"describe {_REGION}", "prints all that is known of that region"),
        (f"describe {_REGION} --format json", "the same, for programs"),
    ],
    "events": [
        ("events", "prints what happened on this host, oldest first"),
        (f"events {_REGION} --last 5", "the last five events of that region"),
        (f"events {_REGION} --format json", "all of them, for programs"),
    ],
    "reconcile": [
        ("reconcile", "lists the differences between hardware and ledger, and changes nothing"),
        ("reconcile --fix", "settles them: erases, marks as lost, finishes"),
    ],
    "quarantine": [
        (
            f"quarantine {_REGION} --reason 'fan is broken'",
            "erases the region; nobody gets it until it is released",
        ),
    ],
    "release": [
        (
            f"release {_REGION}",
            "erases the region; it is free, or its owner's if a guest may have it",
        )
    ],
    "prepare": [("prepare", "fetches what changed in Glance, and has the emulator make models")],
    "serve": [("serve", "does the commands of other calls until SIGTERM")],
    "image": [
        (
            "image build --bitfile crc32.bin --manifest crc32.json --output crc32.zip",
            "makes a package of a bitfile and the members of a manifest",
        ),
        (
            "image build --bitfile crc32.bin --name crc32 --version 1.0 --vendor example "
            "--function crc32 --board ice40 --part hx8k --node socket:/dev/fpga0 "
            "--sign key.pem --output crc32.zip",
            "the same without a file for the manifest, and signed",
        ),
        ("image validate crc32.zip", "checks a package and prints what it is"),
        (
            "image create crc32.zip --visibility public",
            "checks it, uploads it to Glance and prints the image's id",
        ),
    ],
}


def text(verb: str) -> str:
    """The examples of a verb for its help; empty where there are none."""
    lines = [f"  {PROGRAM} {line}\n      {effect}" for line, effect in EXAMPLES.get(verb, [])]
    return "\n".join(["examples:", *lines]) if lines else ""
