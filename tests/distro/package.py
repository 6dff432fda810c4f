# SPDX-License-Identifier: Apache-2.0
"""The walk of the Debian package, which is in package_walk.sh, step by step.

OLD_DEB may name the package of an earlier release, from which the walk then upgrades first.
"""

import os
import shutil

from tests.distro.operator import CHECKOUT, Operator


def _walk(operator: Operator) -> None:
    operator.fetch_build()
    script = (CHECKOUT / "tests/distro/package_walk.sh").read_text()
    operator.debian.write("/root/package_walk.sh", script)
    earlier = os.environ.get("OLD_DEB", "")
    if earlier:
        shutil.copy(earlier, operator.debian.folder / "root/earlier.deb")
    operator.run(f"sh package_walk.sh ./fpga-nova_*.deb {'./earlier.deb' if earlier else ''}")


STEPS = {"the package installed, Nova upgraded around it, the package removed": _walk}
