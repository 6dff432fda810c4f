# SPDX-License-Identifier: Apache-2.0
"""What can be done to the hosts of a folder; each operation can be repeated after any end."""

import collections.abc
import contextlib
import dataclasses
import pathlib
import time

from local_hosts import images, kernel, memory, model, preflight, services
from local_hosts.engine import Engine, connect
from local_hosts.files import Files
from local_hosts.image import FILES, START
from local_hosts.model import Host, LocalHostsError, Site
from local_hosts.report import Status
from local_hosts.store import Store
from local_hosts.wires import TAP, Wires

#: Seconds that a host has to be up.
_PATIENCE = 90
_POLL = 0.2

#: What systemd says of itself once it has started what it should.
_UP = ("running", "degraded")

#: Whether a host takes connections of SSH, by the exit status.
_IS_REACHED = ("systemctl", "is-active", "--quiet", "ssh.service")

#: Whom the machine reaches a host as may do there what root may.
_USER = """
id "$1" > /dev/null 2>&1 || useradd --create-home --shell /bin/bash "$1"
install -d -o "$1" -g "$1" -m 700 "/home/$1/.ssh"
install -o "$1" -g "$1" -m 600 /root/.ssh/authorized_keys "/home/$1/.ssh/authorized_keys"
echo "$1 ALL=(ALL) NOPASSWD: ALL" > "/etc/sudoers.d/$1"
"""

Say = collections.abc.Callable[[str], None]


class LocalHosts:
    """The hosts of one folder.

    :param roots: where the roots of images are cached
    :param say: gets a line for each step that changes anything
    """

    def __init__(self, folder: pathlib.Path, roots: pathlib.Path, say: Say) -> None:
        self.folder, self._roots, self._say = folder, roots, say
        self._store, self.files = Store(folder), Files(folder)

    @property
    def site(self) -> Site:
        """The hosts that there are to be.

        :raises LocalHostsError: none were asked for
        """
        site = self._store.load()
        if site is None:
            raise LocalHostsError(f"there are no hosts in {self.folder}: run 'up'")
        return site

    def known(self) -> tuple[model.Host, ...]:
        """The hosts that were asked for; none before the first call of `up`."""
        site = self._store.load()
        return site.hosts if site else ()

    def up(
        self,
        requests: collections.abc.Iterable[model.Request],
        suite: str = model.SUITES[0],
        common: model.Common | None = None,
    ) -> None:
        """Have hosts run: those that were asked for earlier, and others.

        :param suite: Debian of the others
        :param common: what all hosts have in common; it cannot change while there are hosts
        :raises LocalHostsError: they cannot be, and nothing was changed; or they do not start
        """
        preflight.check(self.folder)
        with self._store.alone():
            site = model.settle(self._store.load(), common or model.Common())
            site = model.extend(site, requests, suite)
            self._store.prepare()
            self._store.save(site)
            self.files.write(site)
            for share in site.shares:
                pathlib.Path(share.source).mkdir(exist_ok=True, parents=True)
            self._start_services(site)
            with self._engine() as engine:
                suites = {host.suite for host in site.hosts}
                found = {one: images.obtain(engine, self._roots, one, self._say) for one in suites}
                for host in site.hosts:
                    if engine.create(host, found[host.suite], self._binds(site, host)):
                        self._say(f"{host.name}: container made")
                    self._start(engine, site, host)
                for host in site.hosts:
                    self._wait(engine, site, host)
                    self._refresh(engine, host)
                    for unit in _failed(engine, host):
                        self._say(f"{host.name}: {unit} failed")
                    if site.user != "root":
                        engine.run(host, "sh", "-ec", _USER, "sh", site.user)

    def down(self) -> None:
        """Remove the hosts and all that belongs to them; cached roots stay.

        :raises LocalHostsError: something cannot be removed
        """
        with self._store.alone():
            if not self._store.exists():
                self._say(f"there are no hosts in {self.folder}")
                return
            with contextlib.suppress(LocalHostsError), self._engine() as engine:
                engine.remove_all()
            services.stop(self.folder)
            Wires(self.folder, model.network(model.SUBNET)).remove()
            kernel.remove_control_groups(self.folder)
            self._store.remove()
            self._say(f"{self.folder} is removed")

    def status(self) -> list[Status]:
        """What each host does."""
        site = self.site
        wires = Wires(self.folder, site.network)
        with self._engine() as engine:
            return [self._status(engine, wires, host) for host in site.hosts]

    def cut(self, name: str) -> None:
        """Take a host's cable out; it stays out while the host stops and starts."""
        self._cable(name, is_cut=True)

    def join(self, name: str) -> None:
        """Put a host's cable in again."""
        self._cable(name, is_cut=False)

    def _cable(self, name: str, is_cut: bool) -> None:
        with self._store.alone():
            host = dataclasses.replace(self.site.find(name), is_cut=is_cut)
            self._store.save(self.site.put(host))
            Wires(self.folder, self.site.network).set_cable(host)

    def kill(self, name: str) -> None:
        """End a host as a loss of power does."""
        with self._store.alone(), self._engine() as engine:
            if engine.kill(self.site.find(name)):
                self._say(f"{name}: killed")

    def stop(self, name: str) -> None:
        """Let a host shut down."""
        with self._store.alone(), self._engine() as engine:
            engine.stop(self.site.find(name))

    def reboot(self, name: str) -> None:
        """Let a host shut down, and start it.

        :raises LocalHostsError: it does not come up
        """
        self.stop(name)
        self.start(name)

    def start(self, name: str) -> None:
        """Start a host that was killed or stopped, and wait until it is up.

        :raises LocalHostsError: it does not come up
        """
        with self._store.alone(), self._engine() as engine:
            site = self.site
            host = site.find(name)
            if engine.state(host) == "missing":
                raise LocalHostsError(f"{name} has no container: run 'up'")
            self._start(engine, site, host)
            self._wait(engine, site, host)

    def rename(self, name: str, new: str) -> None:
        """Give a host a new name, which all hosts then know."""
        with self._store.alone(), self._engine() as engine:
            site = model.rename(self.site, name, new)
            self._store.save(site)
            self.files.write(site)
            for host in site.hosts:
                self._refresh(engine, host)

    def run(self, name: str, command: collections.abc.Sequence[str]) -> tuple[int, bytes, bytes]:
        """Run a command in a host, by its engine: the network is not needed.

        :returns: its status, and what it wrote to its standard output and error
        """
        with self._engine() as engine:
            return engine.run(self.site.find(name), *command)

    def _engine(self) -> contextlib.AbstractContextManager[Engine]:
        return connect(self.folder)

    def _start_services(self, site: Site) -> None:
        wires = Wires(self.folder, site.network)
        if wires.make():
            self._say(f"network {site.network.subnet} made, this machine is {site.network.machine}")
        services.write_configuration(self.folder)
        names = {
            "driver": kernel.storage_driver(self.folder),
            "netns": str(wires.namespace),
            "tap": TAP,
            "cgroup": kernel.control_group(self.folder),
        }
        for description in services.descriptions(self.folder, site.network, names):
            if services.start(self.folder, description):
                self._say(f"{description['name']} started")
        wires.connect_uplink()

    def _binds(self, site: Site, host: Host) -> list[str]:
        shares = [share.bind(host.name) for share in site.shares]
        folder = self.files.of(host)
        return [f"{folder}/files:{FILES}:ro", f"{folder}/docker:/var/lib/docker", *shares]

    def _start(self, engine: Engine, site: Site, host: Host) -> None:
        started = engine.start(host)
        # A new start has a new network namespace, and the host waits for eth0 in it.
        plugged = Wires(self.folder, site.network).plug(host, engine.sandbox(host))
        if started or plugged:
            self._say(f"{host.name}: {'started' if started else 'plugged in'}, {host.address}")

    def _wait(self, engine: Engine, site: Site, host: Host) -> None:
        end = time.monotonic() + _PATIENCE
        while (state := _system(engine, host)) not in _UP:
            if time.monotonic() > end:
                # The units of a cloud may have to wait for each other, or for another host.
                if state == "starting" and not engine.run(host, *_IS_REACHED)[0]:
                    self._say(f"{host.name}: reached, and still starts units")
                    return
                raise LocalHostsError(f"{host.name} is {state or 'not up'} after {_PATIENCE} s")
            time.sleep(_POLL)

    def _refresh(self, engine: Engine, host: Host) -> None:
        """Have a host that runs take over its files; another does when it starts."""
        if engine.is_running(host):
            status, _, errors = engine.run(host, START, "files")
            if status:
                raise LocalHostsError(f"{host.name}: {errors.decode(errors='replace')}")

    def _status(self, engine: Engine, wires: Wires, host: Host) -> Status:
        state, system, failed, size = engine.state(host), "", tuple[str, ...](), 0
        network = "cut" if host.is_cut else "unplugged"
        if state == "running":
            system = _system(engine, host)
            if system == "degraded":
                failed = _failed(engine, host)
            size = memory.proportional(engine.pid(host) or 0)
            network = "joined" if wires.is_joined(host) else network
        return Status(host.name, host.address, host.suite, state, network, system, failed, size)


def _system(engine: Engine, host: Host) -> str:
    """What systemd of a host that runs says of itself; empty before it runs."""
    return engine.run(host, "systemctl", "is-system-running")[1].decode().strip()


def _failed(engine: Engine, host: Host) -> tuple[str, ...]:
    """The units of a host that failed."""
    command = ("systemctl", "--failed", "--plain", "--no-legend", "list-units")
    lines = engine.run(host, *command)[1].decode().splitlines()
    return tuple(line.split()[0] for line in lines if line.strip())
