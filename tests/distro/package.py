# SPDX-License-Identifier: Apache-2.0
"""The walk of the Debian package, which is in package_walk.sh, step by step."""

from tests.distro.operator import CHECKOUT, Operator


def _walk(operator: Operator) -> None:
    operator.fetch_build()
    script = (CHECKOUT / "tests/distro/package_walk.sh").read_text()
    operator.debian.write("/root/package_walk.sh", script)
    operator.run("sh package_walk.sh ./fpga-nova_*.deb")


STEPS = {"the package installed, Nova upgraded around it, the package removed": _walk}
