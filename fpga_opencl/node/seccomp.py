# SPDX-License-Identifier: Apache-2.0
"""A filter of system calls, made by libseccomp.

It refuses what no kernel of OpenCL needs and what faults of Linux were often reached through. The
namespaces and the user of a worker confine it without the filter, too.
"""

import errno

from cffi import FFI

_ALLOW = 0x7FFF0000  # <seccomp.h>
_ERRNO = 0x00050000
_MASKED_EQUAL = 7
_NEW_NAMESPACES = 0x7E020080  # all CLONE_NEW* of <linux/sched.h>
_INTEGER = 0xFFFFFFFF  # what the kernel looks at of an argument that is an int
_PDEATHSIG = 1  # <linux/prctl.h>

#: These fail with EPERM.
REFUSED = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd"),
    *("pidfd_open", "pidfd_send_signal", "perf_event_open", "bpf", "userfaultfd"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "move_mount", "open_tree"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "mknod", "mknodat"),
    *("name_to_handle_at", "open_by_handle_at", "fanotify_init", "quotactl", "acct", "swapon"),
    *("add_key", "request_key", "keyctl", "kexec_load", "kexec_file_load", "reboot"),
    *("init_module", "finit_module", "delete_module", "iopl", "ioperm", "modify_ldt", "syslog"),
    *("settimeofday", "clock_settime", "adjtimex", "sethostname", "setdomainname", "personality"),
    *("vhangup", "migrate_pages", "move_pages", "shmget", "shmat", "msgget", "semget"),
)

_FFI = FFI()
_FFI.cdef("""
struct comparison { unsigned int argument; int operator; uint64_t a; uint64_t b; };
void *seccomp_init(uint32_t action);
int seccomp_rule_add_array(void *filter, uint32_t action, int call, unsigned int count,
                           const struct comparison *comparisons);
int seccomp_syscall_resolve_name(const char *name);
int seccomp_load(void *filter);
void seccomp_release(void *filter);
""")


class Filter:
    """The filter, made before the process has lost sight of the library.

    :raises OSError: libseccomp is not there
    """

    def __init__(self) -> None:
        self._library = _FFI.dlopen("libseccomp.so.2")
        self._filter = self._library.seccomp_init(_ALLOW)
        for name in REFUSED:
            self._add(name, errno.EPERM)
        # Its flags are in memory, where no filter sees them; the C library then uses clone.
        self._add("clone3", errno.ENOSYS)
        for bit in range(32):
            if (flag := 1 << bit) & _NEW_NAMESPACES:
                self._add("clone", errno.EPERM, (0, _MASKED_EQUAL, flag, flag))
        # It ends with its parent, whatever it runs.
        self._add("prctl", errno.EPERM, (0, _MASKED_EQUAL, _INTEGER, _PDEATHSIG))

    def load(self) -> None:
        """Have it hold for this process and all that it starts."""
        self._check(self._library.seccomp_load(self._filter), "seccomp_load")
        self._library.seccomp_release(self._filter)

    def _add(self, name: str, number: int, *comparisons: tuple[int, int, int, int]) -> None:
        call = self._library.seccomp_syscall_resolve_name(name.encode())
        if call < 0:
            return  # not on this architecture, or newer than the library
        rows = _FFI.new("struct comparison[]", [list(row) for row in comparisons])
        action = _ERRNO | number
        self._check(
            self._library.seccomp_rule_add_array(
                self._filter, action, call, len(comparisons), rows
            ),
            name,
        )

    def _check(self, result: int, name: str) -> None:
        if result < 0:
            raise OSError(-result, f"{name} cannot be filtered")
