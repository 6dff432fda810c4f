# SPDX-License-Identifier: Apache-2.0
"""Compute hosts as fpga-api meets them on the broker: what `fpga_hooks.rpc` does, in memory."""

import threading
import time
import typing

import oslo_messaging
from oslo_config import cfg

from fpga_nova import contract

Document = dict[str, typing.Any]

_NODES = [{"kind": "char", "path": "/dev/fpga-nova/r0", "name": None}]


def refusal(code: str) -> Document:
    """What a host answers that changes nothing."""
    return {"refusal": {"code": code, "message": f"refused: {code}"}}


class FakeHost:
    """A host with regions.

    :ivar owners: who has each region; None if nobody has it
    :ivar calls: the methods that were called, with the owner
    :ivar contexts: of the calls
    :ivar refusals: by method, a code to refuse with
    :ivar failures: by method, an exit status to fail with
    :ivar seconds: that a programming takes
    :ivar silent: it answers nothing until `end` is set
    :ivar programs: by id
    :ivar program_seconds: until the end of each; None where the test sets it
    """

    target = oslo_messaging.Target(namespace=contract.RPC_NAMESPACE, version=contract.RPC_VERSION)

    def __init__(self, regions: int = 1, device: str = "card0") -> None:
        self.owners: dict[str, str | None] = {f"{device}-{n}": None for n in range(regions)}
        self.device = device
        self.calls: list[tuple[str, str]] = []
        self.contexts: list[Document] = []
        self.refusals: dict[str, str] = {}
        self.failures: dict[str, int] = {}
        self.seconds = 0.0
        self.silent = False
        self.end = threading.Event()
        self.programs: dict[str, Document] = {}
        self.program_seconds: float | None = None
        self._ready: dict[str, float] = {}
        self._bitstreams: dict[str, str | None] = {}
        self._lock = threading.Lock()

    @property
    def used(self) -> set[str]:
        """The owners of its regions."""
        return {owner for owner in self.owners.values() if owner}

    def _note(self, method: str, owner: str, context: Document) -> Document | None:
        if self.silent:
            self.end.wait()
        with self._lock:
            self.calls.append((method, owner))
            self.contexts.append(dict(context))
        return refusal(self.refusals[method]) if method in self.refusals else None

    def hold(self, context: Document, claim: Document, wait: float = 0) -> Document:
        """Hold a region, or burn it."""
        refused = self._note("hold", claim["id"], context)
        if refused:
            return refused | {"claim": None}
        if "hold" in self.failures:
            return self._failed(claim["id"], self.failures["hold"])
        with self._lock:
            if not self._region_of(claim["id"]):
                free = [one for one, owner in self.owners.items() if owner is None]
                if not free:
                    return self._failed(claim["id"], contract.Exit.NO_FREE_REGION)
                self.owners[free[0]] = claim["id"]
                self._ready[claim["id"]] = time.monotonic() + self.seconds
                self._bitstreams[claim["id"]] = claim["bitstream"]
        time.sleep(min(wait, max(0.0, self._ready[claim["id"]] - time.monotonic())))
        return self._status(claim["id"])

    def claim_status(self, context: Document, claim_id: str) -> Document:
        """What became of it."""
        return self._status(claim_id)

    def release(self, context: Document, claim_id: str) -> Document:
        """Erase."""
        refused = self._note("release", claim_id, context)
        if refused:
            return refused | {"released": False}
        with self._lock:
            for region, owner in self.owners.items():
                if owner == claim_id:
                    self.owners[region] = None
        return {"refusal": None, "released": True}

    def program(self, context: Document, program: Document, wait: float = 0) -> Document:
        """Begin a program, and answer at its end if it is soon."""
        refused = self._note("program", program["id"], context)
        if refused:
            return refused | {"program": None}
        new = {
            **{name: program[name] for name in ("id", "server", "number", "bitstream")},
            "state": "running",
            "region": f"{self.device}-0",
            "previous": None,
            **dict.fromkeys(("restored", "reboot_required", "code", "fault")),
        }
        begun = self.programs.setdefault(program["id"], new)
        if self.program_seconds is not None and self.program_seconds <= wait:
            time.sleep(self.program_seconds)
            begun["state"] = "done"
        return {"refusal": None, "program": begun}

    def program_status(
        self, context: Document, server: str, program_id: str, wait: float = 0
    ) -> Document:
        """What became of it."""
        refused = self._note("program_status", program_id, context)
        if refused:
            return refused | {"program": None}
        end = time.monotonic() + wait
        while self.programs.get(program_id, {}).get("state") == "running":
            if time.monotonic() > end:
                break
            time.sleep(0.02)
        return {"refusal": None, "program": self.programs.get(program_id)}

    def _region_of(self, owner: str) -> str | None:
        return next((one for one, who in self.owners.items() if who == owner), None)

    def _failed(self, claim_id: str, code: int) -> Document:
        claim = {"id": claim_id, "state": "failed", "code": int(code), "fault": f"exit {int(code)}"}
        return {"refusal": None, "claim": claim}

    def _status(self, claim_id: str) -> Document:
        region = self._region_of(claim_id)
        if region is None:
            return {"refusal": None, "claim": {"id": claim_id, "state": "none"}}
        ready = self._ready.get(claim_id, 0.0) <= time.monotonic()
        claim = {
            "id": claim_id,
            "state": "active" if ready else "programming",
            "region": region,
            "device": self.device,
            "address": "0000:3b:00.0",
            "board": "emulator",
            "vendor": "fpga-nova",
            "part": "software",
            "function": None,
            "bitstream": self._bitstreams.get(claim_id),
            "nodes": _NODES,
            "code": None,
            "fault": None,
        }
        return {"refusal": None, "claim": claim}


class FakeHosts:
    """Hosts on a broker; a context manager.

    :param url: of the broker; ``fake://`` needs none
    """

    def __init__(self, url: str = "fake://", **hosts: FakeHost) -> None:
        self._transport = oslo_messaging.get_rpc_transport(cfg.CONF, url)
        self._hosts = hosts
        self._servers: dict[str, typing.Any] = {}

    def __enter__(self) -> "FakeHosts":
        for name in self._hosts:
            self.start(name)
        return self

    def __exit__(self, *exception: object) -> None:
        for host in self._hosts.values():
            host.end.set()
        for name in list(self._servers):
            self.stop(name)
        self._transport.cleanup()

    def start(self, name: str) -> None:
        """Have a host answer."""
        target = oslo_messaging.Target(
            exchange=contract.RPC_EXCHANGE, topic=contract.RPC_TOPIC, server=name
        )
        server = oslo_messaging.get_rpc_server(
            self._transport,
            target,
            [self._hosts[name]],
            access_policy=oslo_messaging.DefaultRPCAccessPolicy,
        )
        server.start()
        self._servers[name] = server

    def stop(self, name: str) -> None:
        """Have it answer nobody."""
        server = self._servers.pop(name)
        server.stop()
        server.wait()
