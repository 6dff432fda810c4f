# SPDX-License-Identifier: Apache-2.0
"""The image of tempest's servers: Debian with sshd, and what tempest runs in a guest."""

import pathlib

from debian_roots import archive, builder
from debian_roots.layer import File, Layer

from build_scripts.images import build_docker_image

#: Where the driver writes the public key of a server, and whose it is.
USER, AUTHORIZED_KEYS = "root", "/root/.ssh/authorized_keys"

START = "/usr/local/sbin/start"

#: Tempest reads ten lines of the console log. The container's program is one that ends by SIGTERM.
_START = """\
#!/bin/sh
for number in $(seq 20); do echo "line $number of the start"; done
[ -e /etc/ssh/ssh_host_ed25519_key ] ||
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e
"""

_SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
UseDNS no
UsePAM no
"""

GUEST = Layer(
    "tempest",
    (
        *("openssh-server", "iproute2", "iputils-ping", "procps", "sudo"),
        *("curl", "netcat-openbsd", "python3-minimal"),
    ),
    {START: File(_START, 0o755), "/etc/ssh/sshd_config.d/tempest.conf": File(_SSHD)},
    # ping has NET_RAW, which a container has not: the kernel then refuses to run it.
    # A snapshot has all layers of its image.
    after="setcap -r /usr/bin/ping\nrm -rf /usr/share/doc /usr/share/locale /usr/share/man",
)

_CONFIG = {
    "Cmd": [START],
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
}


def obtain(roots: pathlib.Path, suite: str) -> pathlib.Path:
    """The archive of the image; it is made, unless it is in the cache.

    :param roots: the cache, with a folder for each suite
    :raises subprocess.CalledProcessError: debootstrap, apt or tar failed
    """
    maker = builder.Builder(roots / suite, suite)

    def write(target: pathlib.Path) -> None:
        layer = maker.folder / "tempest.tar"
        archive.pack(maker.make(GUEST), layer)
        target.write_bytes(
            build_docker_image.image(layer.read_bytes(), build_docker_image.architecture(), _CONFIG)
        )
        layer.unlink()

    with maker.file("tempest-image.tar", maker.digest(GUEST), write) as target:
        return target
