#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starts, reuses and stops the daemons of a demo cloud, the same way with and without systemd.

    daemons.py RUN_DIR start [--wait] < service.json     start it, or keep it if nothing changed
    daemons.py RUN_DIR wait [NAME ...]                   until they are ready (default: all)
    daemons.py RUN_DIR stop [NAME ...]                   stop them, the last first (default: all)
    daemons.py RUN_DIR ports NAME=ADDRESS:PORT ...       who else listens where the cloud wants to
    daemons.py RUN_DIR status

A daemon runs in the foreground under start-stop-daemon, which writes RUN_DIR/NAME.pid. Its
description is kept in RUN_DIR/NAME.json:

    name, command, user, group, env, log, order     what to run; the greatest order stops first
    umask                                           027 if it is missing
    watch                                           files; a change of one restarts the daemon
    ready                                           {"tcp": [address, port]}, {"http": url},
                                                    {"socket": path} or {"log": regular expression}
    timeout, stop_timeout                           seconds
    stop_command                                    run before the daemon is stopped
    unit                                            settings for systemd alone

Every daemon leads a session of its own and carries the run folder and its name in its environment.
By either its processes are known as ours, also those that outlived it: a program may leave its
session, or overwrite its environment with a title.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import typing
from pathlib import Path

import ready

CLOUD_MARK = "FPGA_NOVA_CLOUD"
NAME_MARK = "FPGA_NOVA_SERVICE"
#: What the names of the cloud's units begin with, `service_prefix` in the roles.
UNIT_PREFIX = "fpga-nova-"
#: What a description gets here, beside what it came with.
OWN_FIELDS = ("digest", "offset", "pid", "start")
#: What a daemon is not restarted for: those, and settings for systemd alone.
NO_SETTINGS = (*OWN_FIELDS, "unit")
POLL = 0.1
GRACE = 1.0
TAIL = 20


class DaemonError(Exception):
    """A daemon did not do what it should; the message ends with its last log lines."""


@dataclasses.dataclass(frozen=True)
class Process:
    """What /proc tells about a process."""

    pid: int
    parent: int
    session: int
    start: int
    environment: dict[str, str]
    command: str
    folder: str


def processes() -> dict[int, Process]:
    """All processes that can be read, by pid; zombies are left out."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            environ = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            works_in = str((folder / "cwd").readlink())
        except OSError:
            continue  # it has ended meanwhile
        if stat[0] != "Z":
            pairs = dict(pair.split("=", 1) for pair in environ if "=" in pair)
            pid = int(folder.name)
            parent, session, start = int(stat[1]), int(stat[3]), int(stat[19])
            text = command.replace("\0", " ").strip()
            found[pid] = Process(pid, parent, session, start, pairs, text, works_in)
    return found


def _end(pids: typing.Iterable[int], timeout: float) -> None:
    """Terminate processes, and kill those that are still there after ``timeout`` seconds."""
    remainder = set(pids)
    for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 10.0)):
        for pid in remainder:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        end = time.monotonic() + patience
        while remainder := remainder & processes().keys():
            if time.monotonic() > end:
                break
            time.sleep(POLL)
        if not remainder:
            return
    raise DaemonError(f"these processes cannot be killed: {sorted(remainder)}")


@dataclasses.dataclass(frozen=True)
class Run:
    """The folder with the pid files and descriptions of one cloud's daemons on this host."""

    folder: Path

    def names(self) -> list[str]:
        """All daemons that were ever started here, in the order of their start."""
        files = [file for file in self.folder.glob("*.json") if file.with_suffix(".pid").exists()]
        descriptions = [json.loads(file.read_text()) for file in files]
        return [
            one["name"] for one in sorted(descriptions, key=lambda one: (one["order"], one["name"]))
        ]

    def load(self, name: str) -> "Daemon":
        """A daemon by its name.

        :raises DaemonError: none of that name was started here
        """
        try:
            return Daemon(self, json.loads((self.folder / f"{name}.json").read_text()))
        except FileNotFoundError as e:
            raise DaemonError(f"no daemon {name} was started in {self.folder}") from e

    def _is_marked(self, process: Process, name: str | None) -> bool:
        marks = process.environment
        return marks.get(CLOUD_MARK) == str(self.folder) and name in (None, marks.get(NAME_MARK))

    @staticmethod
    def _leader(description: Path) -> tuple[int, int]:
        """Pid and start time of a daemon's first process; -1 where it was never started."""
        record = json.loads(description.read_text())
        return record.get("pid", -1), record.get("start", -1)

    def ours(self, name: str | None = None) -> dict[int, Process]:
        """The processes of this cloud's daemons (or of one), with all that they have started."""
        every = processes()
        leaders = [self._leader(file) for file in self.folder.glob(f"{name or '*'}.json")]
        sessions = {pid for pid, start in leaders if pid not in every or every[pid].start == start}
        mine = {
            pid: process
            for pid, process in every.items()
            if process.session in sessions or self._is_marked(process, name)
        }
        grew = True
        while grew:
            more = {p: q for p, q in every.items() if p not in mine and q.parent in mine}
            mine |= more
            grew = bool(more)
        mine.pop(os.getpid(), None)
        return mine


@dataclasses.dataclass(frozen=True)
class Daemon:
    """One daemon: its description, and what became of it."""

    run: Run
    record: dict[str, typing.Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.record["name"])

    @property
    def pid_file(self) -> Path:
        """Where start-stop-daemon writes its pid."""
        return self.run.folder / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return Path(self.record["log"])

    def pid(self) -> int | None:
        """Its process, if that is alive and is this daemon's indeed."""
        try:
            pid = int(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if pid in self.run.ours(self.name) else None

    def digest(self) -> str:
        """Changes with the description and with the content of every watched file."""
        settings = {key: value for key, value in self.record.items() if key not in NO_SETTINGS}
        summed = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for watched in self.record.get("watch", []):
            path = Path(watched)
            summed.update(path.read_bytes() if path.exists() else b"missing")
        return summed.hexdigest()

    def start(self) -> bool:
        """Start it, unless it runs as described; a changed one is restarted.

        :returns: whether it was started
        """
        file = self.run.folder / f"{self.name}.json"
        digest = self.digest()
        if file.exists() and self.pid() is not None:
            before = json.loads(file.read_text())
            if before.get("digest") == digest:
                self.record["offset"] = before["offset"]
                return False
        if file.exists():
            self.run.load(self.name).stop()
        self.log.touch(mode=0o640)
        self.record["offset"] = self.log.stat().st_size
        self.record["digest"] = digest
        self._note()
        self._launch()
        self._note_leader()
        return True

    def _note(self) -> None:
        file = self.run.folder / f"{self.name}.json"
        file.write_text(json.dumps(self.record, indent=1) + "\n")

    def _note_leader(self) -> None:
        # start-stop-daemon returns before its child has written the pid file.
        end = time.monotonic() + GRACE
        while time.monotonic() < end:
            pid = int(self.pid_file.read_text() or 0) if self.pid_file.exists() else 0
            if leader := processes().get(pid):
                self.record.update(pid=leader.pid, start=leader.start)
                self._note()
                break
            time.sleep(POLL / 10)

    def _launch(self) -> None:
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            **self.record.get("env", {}),
            CLOUD_MARK: str(self.run.folder),
            NAME_MARK: self.name,
        }
        program, *arguments = map(str, self.record["command"])
        program = shutil.which(program, path=environment["PATH"]) or program
        user, group = self.record.get("user", "root"), self.record.get("group")
        subprocess.run(
            [
                *("start-stop-daemon", "--start", "--background", "--make-pidfile", "--quiet"),
                *("--pidfile", str(self.pid_file), "--chdir", "/"),
                *("--umask", self.record.get("umask", "027")),
                *("--chuid", f"{user}:{group}" if group else user),
                *("--output", str(self.log), "--startas", program, "--", *arguments),
            ],
            env=environment,
            check=True,
        )

    def wait(self) -> None:
        """Wait until it is ready.

        :raises DaemonError: it ended, or is not ready in time
        """
        end = time.monotonic() + self.record.get("timeout", 60)
        last_look = time.monotonic()
        while not ready.is_ready(self.record):
            # start-stop-daemon returns before the program is there.
            if self.pid() is not None:
                last_look = time.monotonic()
            elif time.monotonic() > last_look + GRACE:
                raise DaemonError(f"{self.name} ended as soon as it was started{self.tail()}")
            if time.monotonic() > end:
                after = self.record.get("timeout", 60)
                raise DaemonError(f"{self.name} is not ready after {after} s{self.tail()}")
            time.sleep(POLL)
        if self.pid() is None:
            raise DaemonError(f"{self.name} is not running{self.tail()}")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL:]
        return "\n".join([f"; the end of {self.log}:", *(f"  {line}" for line in lines)])

    def stop(self) -> None:
        """Stop it, and whatever of it outlived it.

        :raises DaemonError: it cannot be killed
        """
        timeout = self.record.get("stop_timeout", 15)
        pid = self.pid()
        if pid is not None:
            if command := self.record.get("stop_command"):
                subprocess.run(command, check=False, capture_output=True, timeout=60)
            _end([pid], timeout)
        _end(self.run.ours(self.name), timeout)
        self.pid_file.unlink(missing_ok=True)


def _remains(run: Run, below: str) -> set[int]:
    """What the daemons have left running: their processes, programs of the cloud's own folder, and
    tools that these run in there, such as those of the emulator's compiler.
    """
    work = f"{run.folder}/fpga/work/"
    mine = run.ours().keys() | {
        pid
        for pid, process in processes().items()
        if process.command.startswith(below) or process.folder.startswith(work)
    }
    return mine - {os.getpid()}


def stop_all(run: Run) -> None:
    """Stop every daemon, then what they left: processes, such as emulated regions, and mounts."""
    below = f"{run.folder.parent}/"
    for name in reversed(run.names()):
        print(f"stopping {name}", flush=True)
        run.load(name).stop()
    # Again, because a burn that was going on may have started the emulator or its compiler since.
    while remains := _remains(run, below):
        _end(remains, 5)
    for pid_file in run.folder.glob("*.pid"):
        pid_file.unlink()
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(below)), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=True)


def _listeners() -> dict[int, list[tuple[str, str]]]:
    """Listening TCP sockets: port to pairs of hexadecimal address and inode."""
    found: dict[int, list[tuple[str, str]]] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].rsplit(":", 1)
            if fields[3] == "0A":
                found.setdefault(int(port, 16), []).append((address, fields[9]))
    return found


def _holders(inodes: set[str]) -> dict[str, int]:
    """Which process holds a socket, by the socket's inode."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    found = {}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            inode = links.get(str(link.readlink()))
        except OSError:
            continue
        if inode:
            found[inode] = int(link.parts[2])
    return found


def _is_of_unit(pid: int) -> bool:
    """Whether a process is of one of the cloud's units, which systemd has put into its cgroup."""
    try:
        return f"/{UNIT_PREFIX}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def _clashes(address: str, requested: str) -> bool:
    """Whether a listener on a hexadecimal address is in the way of an IPv4 address."""
    packed = socket.inet_aton(requested)[::-1].hex().upper()
    return not address.strip("0") or address in (packed, f"0000000000000000FFFF0000{packed}")


def check_ports(run: Run, ports: dict[str, tuple[str, int]]) -> None:
    """Make sure that nobody else listens where the cloud wants to.

    :raises DaemonError: naming every port that is taken
    """
    listeners = _listeners()
    near = {
        (name, port, inode)
        for name, (host, port) in ports.items()
        for address, inode in listeners.get(port, [])
        if _clashes(address, host)
    }
    holders = _holders({inode for _, _, inode in near})
    ours, every = run.ours(), processes()
    taken = []
    for name, port, inode in sorted(near):
        pid = holders.get(inode)
        if pid is None or (pid not in ours and not _is_of_unit(pid)):
            who = f"process {pid}: {every[pid].command[:80]}" if pid in every else "somebody else"
            taken.append(f"port {port}, wanted for {name}, is taken by {who}")
    if taken:
        raise DaemonError("\n".join(taken))


def _parse_ports(pairs: list[str]) -> dict[str, tuple[str, int]]:
    ports = {}
    for pair in pairs:
        name, _, where = pair.partition("=")
        host, _, port = where.rpartition(":")
        ports[name] = (host, int(port))
    return ports


def _start(run: Run, wait: bool) -> None:
    daemon = Daemon(run, json.load(sys.stdin))
    run.folder.mkdir(parents=True, exist_ok=True)
    print("started" if daemon.start() else "unchanged", flush=True)
    if wait:
        daemon.wait()


def _act(arguments: argparse.Namespace) -> None:
    run = Run(arguments.run_dir.resolve())
    if arguments.action == "start":
        _start(run, arguments.wait)
    elif arguments.action == "wait":
        for name in arguments.names or run.names():
            run.load(name).wait()
    elif arguments.action == "stop" and arguments.names:
        for name in arguments.names:
            run.load(name).stop()
    elif arguments.action == "stop":
        stop_all(run)
    elif arguments.action == "ports":
        check_ports(run, _parse_ports(arguments.names))
    else:
        for name in run.names():
            print(f"{name:<20} {run.load(name).pid() or 'not running'}")


def main() -> int:
    """Command line; exit status 1 with a message if a daemon or a port is not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    parser.add_argument("action", choices=("start", "wait", "stop", "ports", "status"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--wait", action="store_true", help="start: until it is ready")
    try:
        if not shutil.which("start-stop-daemon"):
            raise DaemonError("start-stop-daemon is missing; it is part of dpkg")
        _act(parser.parse_args())
    except DaemonError as e:
        print(f"Error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
