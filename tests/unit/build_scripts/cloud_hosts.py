# SPDX-License-Identifier: Apache-2.0
"""The hosts of the example of a cloud: a stub of ssh(1) runs their scripts on this machine."""

from pathlib import Path

from deployment import catalogue, command, loader, model
from deployment.folder import Folder

EXAMPLE = catalogue.ROOT / "build_scripts/cloud.yaml"

#: Takes its options as ssh does, notes them, and runs the rest here. `down` has the addresses that
#: do not answer; `answers/ADDRESS` is what a host prints instead of running anything.
SSH = r"""#!/bin/sh
here=$(dirname "$0")
while :; do
    case $1 in
        -o|-i) echo "$2" >> "$here/options"; shift 2 ;;
        *) break ;;
    esac
done
address=${1#*@}; shift
if grep -qsx "$address" "$here/down"; then
    echo "ssh: connect to host $address port 22: No route to host" >&2
    exit 255
fi
[ ! -e "$here/answers/$address" ] || { cat > /dev/null; cat "$here/answers/$address"; exit 0; }
exec "$@"
"""

#: What the probe says of a host that will do.
FIT = {
    "system": "debian-12",
    "machine": "x86_64",
    "root": "yes",
    "python": "3.11",
    "systemd": "yes",
    "datapath": "yes",
    "interfaces": "eth0 eth1 lo ",
    "addressed": "lo eth0 ",
    "present": "no",
    "foreign": "",
    "free_kib": str(20 << 20),
    "end": "yes",
}


class Hosts:
    """The three hosts of the example."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = loader.parse(loader.content(EXAMPLE), catalogue.read())

    def answer(self, node: model.Node, text: str) -> None:
        """Have a host print this, whatever it is asked."""
        (self.folder / "answers" / str(node.address)).write_text(text)

    def fit(self, **changes: str) -> None:
        """Have each host answer the probe as one that will do, but for these facts."""
        for node in self.cloud.nodes:
            facts = FIT | {"addresses": str(node.address)} | changes
            self.answer(node, "".join(f"{name}={value}\n" for name, value in facts.items()))

    def cut(self, node: model.Node) -> None:
        """Take a host off the network."""
        with (self.folder / "down").open("a") as file:
            file.write(f"{node.address}\n")


def call(verb: str, folder: Folder, *words: str) -> int:
    """Run the command on the example."""
    return command.main([verb, str(EXAMPLE), "--folder", str(folder.path), *words])
