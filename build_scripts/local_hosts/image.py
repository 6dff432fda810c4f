# SPDX-License-Identifier: Apache-2.0
"""The image of a host: Debian with systemd, sshd and Python, and nothing of the machine."""

from debian_roots.layer import File, Layer

START = "/usr/local/sbin/host-start"

#: Where a host has the machine's files for it: in ``first`` those that it gets once and may change,
#: in ``always`` those that it gets at each start.
FILES = "/usr/local/share/host"
_MARK = "/var/lib/host-has-files"

#: Runs first in a host, then is systemd. Control groups of version 1 are mounted read-only, and
#: systemd writes them. The engine's own files of names are mounts, which a program cannot replace
#: by a rename. Whoever starts the host plugs eth0 in, before any service looks for it.
_START = f"""\
#!/bin/sh
#   host-start          become the host
#   host-start files    have the files that the machine gives it, anew
files() {{
    tar --create --directory="{FILES}/$1" . | tar --extract --directory=/ --no-overwrite-dir
}}
if [ "$*" = files ]; then
    files always
    exec hostname "$(cat /etc/hostname)"
fi
for folder in /sys/fs/cgroup /sys/fs/cgroup/* /sys /proc/sys; do
    mount -o remount,rw,bind "$folder" 2> /dev/null
done
for file in /etc/hosts /etc/hostname /etc/resolv.conf; do
    umount "$file" 2> /dev/null
done
[ -e {_MARK} ] || {{ files first && touch {_MARK}; }}
files always
until ip -4 -oneline address show dev eth0 scope global 2> /dev/null | grep -q inet; do
    sleep 0.1
done
# systemd 256 and later refuse control groups of version 1 otherwise.
[ -e /sys/fs/cgroup/cgroup.controllers ] ||
    set -- systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
exec /lib/systemd/systemd "$@"
"""

_SSHD = """\
PasswordAuthentication no
PermitRootLogin prohibit-password
UseDNS no
HostKey /etc/ssh/ssh_host_ed25519_key
"""

#: Units that would change the machine, or wait for hardware that a host does not have.
_MASKED = (
    *("systemd-sysctl.service", "systemd-modules-load.service", "systemd-udevd.service"),
    *("systemd-remount-fs.service", "systemd-firstboot.service", "getty.target"),
    *("console-getty.service", "dev-hugepages.mount", "sys-kernel-debug.mount"),
    *("sys-kernel-tracing.mount", "proc-sys-fs-binfmt_misc.automount", "fstrim.timer"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer"),
)

HOST = Layer(
    "host",
    (
        *("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt"),
        *("ca-certificates", "iproute2", "iputils-ping", "procps", "sudo"),
    ),
    {
        START: File(_START, 0o755),
        "/etc/ssh/sshd_config.d/host.conf": File(_SSHD),
    },
    # An empty identity gets a new one at each host's first boot, without systemd's presets.
    after=f"""
systemctl mask --quiet {" ".join(_MASKED)}
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id
""",
)
