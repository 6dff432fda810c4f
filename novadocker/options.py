# SPDX-License-Identifier: Apache-2.0
"""The ``[docker]`` options of nova.conf."""

from oslo_config import cfg, types

GROUP = cfg.OptGroup(
    "docker",
    title="Docker",
    help="How nova-compute runs instances as containers of a Docker Engine on its host.",
)

#: Processes that a container needs: its first one, the engine's init, the threads of runc.
LEAST_PIDS = 16

#: Docker's own default without two that no container needs here: devices come from the region
#: alone, and whoever may send raw packets can try every address on what the security groups of a
#: port let through. ping needs none: its sandbox lets everybody have datagram sockets of ICMP.
_CAPABILITIES = [
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
]
#: Those that stay within the namespaces and limits of a container.
_MORE_CAPABILITIES = ["IPC_LOCK", "NET_RAW", "SYS_NICE", "SYS_PTRACE"]

OPTS = [
    cfg.StrOpt(
        "host_url",
        default="unix:///var/run/docker.sock",
        help="""
Address at which the Docker Engine of this host listens.

It is a socket (``unix://``), or ``tcp://ADDRESS:PORT`` with TLS. The engine must run on the host of
nova-compute, because nova-compute passes devices and files by their paths. The user of nova-compute
must be allowed to open the socket, so it is usually in the group ``docker``.
""",
    ),
    cfg.StrOpt(
        "ca_file",
        help="""
File with the certificates, in PEM, that may sign the certificate of the Docker Engine.

A ``host_url`` that is not a socket of this host needs ``ca_file``, ``cert_file`` and ``key_file``,
because everybody who reaches an engine without them is root on its host.
""",
    ),
    cfg.StrOpt(
        "cert_file",
        help="""
File with the certificate, in PEM, that nova-compute shows to the Docker Engine.
""",
    ),
    cfg.StrOpt(
        "key_file",
        help="""
File with the private key, in PEM, of ``cert_file``; only nova-compute's user may read it.
""",
    ),
    cfg.IntOpt(
        "api_timeout",
        default=120,
        min=1,
        help="""
Seconds without an answer after which the Docker Engine counts as not reachable.

A delete waits as long for a removal of the container that somebody else began.
""",
    ),
    cfg.IntOpt(
        "start_timeout",
        default=30,
        min=0,
        help="""
Seconds that a starting nova-compute waits for the Docker Engine.

After a reboot, the engine may come up later than nova-compute does. When the time is over,
nova-compute starts without it and logs a warning. Builds fail until the engine answers.
""",
    ),
    cfg.IntOpt(
        "stop_timeout",
        default=10,
        min=0,
        help="""
Seconds that a container has between SIGTERM and SIGKILL.

A stop or a soft reboot waits no longer than that. If Nova's own ``shutdown_timeout``, or the
image's ``os_shutdown_timeout``, is shorter, it counts instead. A hard reboot and a delete do not
wait.
""",
    ),
    cfg.IntOpt(
        "pids_limit",
        default=4096,
        min=LEAST_PIDS,
        help="""
The most processes and threads that one container may have.

A flavor may lower it by the extra spec ``docker:pids_limit``.
""",
    ),
    cfg.ListOpt(
        "capabilities",
        item_type=types.String(choices=[*_CAPABILITIES, *_MORE_CAPABILITIES]),
        default=_CAPABILITIES,
        help="""
Linux capabilities that containers have; all others are dropped.

The default is what Docker's own default has, without MKNOD and NET_RAW. Programs in a container,
such as sshd and package managers, need some of them. Those that lead out of a container cannot be
named here.
""",
    ),
    cfg.StrOpt(
        "network_namespaces",
        default="/run/docker/netns",
        help="""
Folder in which the Docker Engine has the network namespaces of containers.

It is ``netns`` in the engine's ``exec-root``. Only there does nova-compute's privileged process
enter a namespace.
""",
    ),
    cfg.StrOpt(
        "opencl_folder",
        help="""
Folder of ``libfpga-opencl.so``, ``libOpenCL.so.1`` and ``fpga-nova.icd``.

A container with a region of OpenCL has these files, read-only, so that its image needs no driver
and no loader. Without the option, the image has to bring them.
""",
    ),
    cfg.IntOpt(
        "image_max_size",
        default=10240,
        min=1,
        help="""
MiB that an image may have in Glance.
""",
    ),
    cfg.IntOpt(
        "image_max_unpacked_size",
        default=20480,
        min=1,
        help="""
MiB that all layers of an image may have together once the Docker Engine has unpacked them.

While nova-compute fetches an image, ``instances_path`` holds it twice: as it came, and unpacked.
The same is true of a snapshot. A container with more files than that has no snapshot.
""",
    ),
    cfg.IntOpt(
        "image_max_files",
        default=1000000,
        min=1,
        help="""
Files, folders and links that all layers of an image may have together.
""",
    ),
    cfg.IntOpt(
        "image_read_timeout",
        default=900,
        min=1,
        help="""
Seconds that the reading of a fetched image may take, before the Docker Engine gets it.
""",
    ),
    cfg.IntOpt(
        "image_load_timeout",
        default=1800,
        min=1,
        help="""
Seconds that the Docker Engine may take to load an image, in place of ``api_timeout``.

A commit of a container for a snapshot, and each part of what the engine saves of it, may take as
long.
""",
    ),
    cfg.BoolOpt(
        "live_images",
        default=False,
        help="""
Whether servers of this host can be dumped to live images, and made of them.

The host needs CRIU 4.2 or later, ``fpga-live`` with its settings, and the runtime ``live`` in the
engine. nova-compute has root try it when it starts. If that fails, the log has the reason, and the
host serves everything else.
""",
    ),
    cfg.BoolOpt(
        "live_shelve",
        default=False,
        help="""
Whether a server keeps its memory when it is shelved, where ``live_images`` is on.

The image of a shelved server is then a live one: as large as its memory and its files, and private.
A server that cannot be dumped is not shelved unless it is stopped first.
""",
    ),
    cfg.StrOpt(
        "live_exec",
        default="fpga-live",
        help="""
The program that dumps containers as root; rootwrap's filters name it.
""",
    ),
    cfg.StrOpt(
        "live_settings",
        default="/etc/fpga-nova/live.toml",
        help="""
The settings of that program. Root writes them, and nova-compute reads them.
""",
    ),
    cfg.IntOpt(
        "live_timeout",
        default=300,
        min=1,
        help="""
Seconds that each call of that program may take.
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group and its options; a second call changes nothing."""
    conf.register_group(GROUP)
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """The options for oslo.config's sample generator."""
    return [(GROUP, OPTS)]
