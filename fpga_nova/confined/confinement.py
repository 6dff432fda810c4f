# SPDX-License-Identifier: Apache-2.0
"""Limits and namespaces of a process that reads what strangers made.

All of it is set by util-linux between us and the program, so that no code of ours runs between
fork and exec of a service that has threads.
"""

import dataclasses
import os
import typing

from fpga_nova.confined import processes
from fpga_nova.deadline import Deadline

#: "nobody", for whom nothing is kept in a file.
NOBODY = 65534

# An ordinary user may make namespaces on most hosts, but not on all (sysctl, AppArmor).
_IF_IT_CAN = 'n=$1; shift; unshare $n -- true 2>/dev/null && exec unshare $n -- "$@"; exec "$@"'
_NAMESPACES = ("--net", "--ipc", "--pid", "--fork", "--kill-child=KILL")


@dataclasses.dataclass(frozen=True)
class Confinement:
    """What a program may use, each of the processes that it starts included.

    Started by root, it runs as another user, without capabilities, without a network, and sees no
    other process. Started by anybody else it stays who it is and has the same namespaces where the
    host allows them. It gains no privileges and dies with who started it, in either case.

    :param memory: bytes of address space
    :param file_size: bytes of each file that it writes
    :param files: descriptors that it may have open at once
    :param max_processes: of its user, who may work for several at once; set where the user changes
    :param uid: user and group that it becomes if root starts it; None if it does so by itself
    :param niceness: how far it stands back behind others, if root starts it
    """

    memory: int
    file_size: int
    files: int = 1024
    max_processes: int = 512
    uid: int | None = NOBODY
    niceness: int = 0

    def run(
        self,
        argv: typing.Sequence[str],
        deadline: Deadline,
        keep: typing.Sequence[int] = (),
        place: processes.Place | None = None,
    ) -> processes.Finished:
        """Run a program to its end.

        :param keep: descriptors that it inherits, besides the three of `place`
        :raises processes.TooLong: it did not end before the deadline
        :raises processes.Failed: it is not there, or cannot be confined
        """
        name = os.path.basename(argv[0])  # noqa: PTH119 - a name, not a path to look at
        confined = [*self._prefix(deadline), *argv]
        try:
            finished = processes.run(confined, deadline, keep, place, mortal=False)
        except processes.TooLong as e:
            raise processes.TooLong(
                f"{name} did not end within {deadline.seconds:g} seconds"
            ) from e
        return dataclasses.replace(finished, name=name)

    def _prefix(self, deadline: Deadline) -> list[str]:
        limits = [
            "prlimit",
            f"--as={self.memory}",
            f"--fsize={self.file_size}",
            f"--nofile={self.files}",
            f"--cpu={int(deadline.remaining) + 1}",
            "--core=0",
        ]
        no_rights = ["--no-new-privs", "--inh-caps=-all", "--pdeathsig=KILL"]
        if os.geteuid() != 0:
            namespaces = " ".join(("--user", *_NAMESPACES))
            return [
                *("setpriv", "--pdeathsig=KILL", "--no-new-privs"),
                *("sh", "-c", _IF_IT_CAN, "sh", namespaces),
                *("setpriv", *no_rights, *limits, "--"),
            ]
        user = []
        if self.uid is not None:
            user = [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
            user.append("--bounding-set=-all")
            limits.append(f"--nproc={self.max_processes}")
        return [
            *("nice", "-n", str(self.niceness)),
            *("setpriv", "--pdeathsig=KILL"),
            *("unshare", *_NAMESPACES),
            *("setpriv", *user, *no_rights, *limits, "--"),
            # unshare 2.38 ends with 1 where SIGKILL ended its child: a shell says 137 instead.
            *("sh", "-c", '"$@"; exit $?', "sh"),
        ]
