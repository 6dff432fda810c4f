# SPDX-License-Identifier: Apache-2.0
"""What a root takes over from the machine: mirrors, proxies, and the authorities it trusts."""

import collections.abc
import os
import pathlib
import re
import subprocess

from debian_roots.layer import File

_DEBIAN = "http://deb.debian.org/debian"

_APT = """\
APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
DPkg::Options { "--force-confold"; };
"""

#: Authorities of the machine's own, and pip's configuration.
_TRUST, _PIP = pathlib.Path("/usr/local/share/ca-certificates"), pathlib.Path("/etc/pip.conf")

#: Variables that say how packages are reached.
_REACH = re.compile(
    r"(?:https?|ftp|all|no)_proxy|(?:PIP|UV)_(?:EXTRA_|DEFAULT_)?INDEX(?:_URL)?", re.IGNORECASE
)

#: Paths of what a root has from the machine; an image is made without them.
PATHS = ("/etc/apt/sources.list", "/etc/apt/apt.conf.d/90host", "/etc/pip.conf")


def sources_of(suite: str) -> str:
    """The sources of the machine, for another suite; Debian's own where the machine names none."""
    output = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"),
            *("Created-By: Packages", "Origin: Debian", "Component: main"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return sources_from(suite, output.stdout)


def sources_from(suite: str, targets: str) -> str:
    """The same, from lines of ``REPO_URI CODENAME`` as apt-get prints them."""
    found = [line.split() for line in targets.splitlines()]
    if not found:
        found = [[_DEBIAN, suite], [f"{_DEBIAN}-security", f"{suite}-security"]]
    own = min((codename for _, codename in found), key=len)
    lines = [f"deb {uri} {codename.replace(own, suite)} main\n" for uri, codename in found]
    return "".join(dict.fromkeys(lines))


def files(sources: str) -> dict[str, File]:
    """How packages are fetched: apt's sources and options, and pip's configuration."""
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    lines = [line for line in dumped.stdout.splitlines() if line.startswith("Acquire::")]
    apt = "\n".join(lines) + "\n" + _APT
    found = dict(zip(PATHS, (File(sources), File(apt)), strict=False))
    if _PIP.exists():
        found[str(_PIP)] = File(_PIP.read_text())
    return found


def authorities() -> dict[str, File]:
    """Certificates that the machine trusts beside those of ca-certificates."""
    return {
        str(path): File(path.read_text(errors="replace")) for path in sorted(_TRUST.rglob("*.crt"))
    }


def variables(
    local: str, environment: collections.abc.Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables of the machine that say how packages are reached.

    :param local: what is reached without a proxy, such as a network
    """
    found = {name: value for name, value in environment.items() if value and _REACH.fullmatch(name)}
    if any(name.lower().endswith("_proxy") for name in found):
        for name in ("no_proxy", "NO_PROXY"):
            found[name] = ",".join(part for part in (found.get(name), local) if part)
    return found
