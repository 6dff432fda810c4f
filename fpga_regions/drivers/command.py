# SPDX-License-Identifier: Apache-2.0
"""Wraps any program that has three verbs, burn, erase and status, as a driver.

The verbs are those of the first specification of fpga-cli: `burn` prints an identifier, `erase`
takes it, `status` prints "Used regions: U/T". A fourth, `reset`, is for programs that can bring a
function to its initial state. docs/drivers.md has the details for whoever writes
such a program.
"""

import pathlib
import re
import shlex
import typing

from oslo_config import cfg

from fpga_nova.confined import processes
from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import hardware, records, settings
from fpga_regions.drivers.settings import HostNode
from fpga_regions.model import Loaded, Region, Slot
from fpga_regions.package.reader import Package

GROUP = "command"
_STATUS = re.compile(r"Used regions:\s*(\d{1,4})\s*/\s*(\d{1,4})")
#: At most 255 characters, as the specification says; no blank, and nothing that is an option.
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,254}")
_MAX_REGIONS = 256
_PLACES = {
    "burn": {"bitfile", "index", "image_id", "digest"},
    "erase": {"id", "index"},
    "reset": {"id", "index"},
    "status": set(),
}
_UNKNOWN = 33
#: What the exit codes of burn mean; every other one is a failure that may not come again.
_BURN_CODES: dict[int, type[errors.RegionError]] = {
    errors.NoMatchingHardware.code: errors.NoMatchingHardware,
    errors.NoFreeRegion.code: errors.NoFreeRegion,
    errors.BadPackage.code: errors.BadPackage,
    errors.WrongFunction.code: errors.WrongFunction,
    errors.TimedOut.code: errors.TimedOut,
}

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "cards",
        default=[],
        help="Names of the cards, one program each; card `x` has the group `[command:x]`.",
    ),
]

CARD_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt("exec", required=True, help="Full path of the program."),
    *settings.target_options(),
    cfg.StrOpt(
        "burn",
        default="burn {bitfile}",
        help="""
Arguments of burn, split as a shell does; no shell is involved. {bitfile} is the path of the bitfile
out of the package, {index} the number of the region on the card, {digest} the bitfile's SHA-256
digest in hexadecimal. {image_id} is the Glance id, for a program that fetches the image by itself;
fpga-cli does not check what it fetches.
""",
    ),
    cfg.StrOpt(
        "erase",
        default="erase {id}",
        help="Arguments of erase; {id} is what burn printed, {index} as in burn.",
    ),
    cfg.StrOpt("status", default="status", help="Arguments of status."),
    cfg.StrOpt(
        "reset",
        default="",
        help="""
Arguments of reset, with the places of erase, for a program that can bring a function to its initial
state without burning it anew. Without them, no region is kept warm.
""",
    ),
    cfg.StrOpt(
        "suffix",
        default=".bin",
        regex=r"^\.[A-Za-z0-9]{1,8}$",
        help="How the name of the bitfile's file ends.",
    ),
    cfg.IntOpt("timeout", default=10, min=1, help="Seconds that status may take."),
    settings.nodes_option(
        "{id} stands for what burn printed and {index} for the number of the region."
    ),
]


class CommandDriver(hardware.HardwareDriver):
    """Cards behind programs of the operator's, one program for each card."""

    # Others on the host may have opened the nodes of a region that nobody owned.
    resets_again = True

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        options = settings.register(conf, GROUP, OPTIONS)
        self.cards = settings.cards(conf, GROUP, options.cards, CARD_OPTIONS)
        for card, card_options in self.cards.items():
            _check(f"{GROUP}:{card}", card_options)
        self._nodes = {
            card: settings.nodes(f"{GROUP}:{card}", card_options.nodes)
            for card, card_options in self.cards.items()
        }

    def slots_of(self, card: str) -> list[Slot]:
        """As many regions as the program's status tells."""
        options = self.card(card)
        kinds = frozenset(node.kind for node in self._nodes[card])
        _, total = self._status(card)
        return [self.slot(card, index, options, kinds=kinds) for index in range(total)]

    def suffix(self, region: Region) -> str:
        """As configured."""
        return str(self.card(region.slot.device).suffix)

    def put(self, job: hardware.Job, bitfile: pathlib.Path, package: Package) -> str:
        """Have the program burn the bitfile; what it prints is the region's sign."""
        region = job.region
        self._see_that_nothing_was_burnt(region)
        used, _ = self._status(region.slot.device)
        if used == 0:
            # The card lost what is on record. If it stayed there, this burn would look like one of
            # those, and nobody would know which regions are lost.
            self._records.empty(region.slot.device)
        self._counted(region).unlink(missing_ok=True)
        self._attempt(region).write_text(str(used - len(self._burnt_beside(region))))
        finished = job.try_to_run(
            *self._argv(
                region,
                "burn",
                bitfile=str(bitfile),
                index=str(region.slot.index),
                image_id=region.image_id or "",
                digest=package.manifest.sha256,
            )
        )
        if finished.status != 0:
            failure = _BURN_CODES.get(finished.status, errors.ProgrammingFailed)
            raise failure(finished.complaint)
        identifier = finished.output.strip()
        if not _IDENTIFIER.fullmatch(identifier):
            raise processes.Failed(
                f"{finished.name} burn printed no identifier: {identifier!r:.80}"
            )
        if self._needs_id(region) and identifier in self._burnt_beside(region):
            raise processes.Failed(
                f"{finished.name} burn printed the identifier of another region: {identifier!r:.80}"
            )
        return identifier

    def wipe(self, job: hardware.Job, record: records.Record | None) -> str:
        """Have the program erase what it burnt, and see that it counts one region less in use.

        Without an identifier there is nothing to erase, unless a burn was begun and not ended.
        """
        region = job.region
        if record is not None and record.loaded is not None:
            self._erase(job, record.sign)
        elif self._needs_id(region):
            self._see_that_nothing_was_burnt(region)
        else:
            self._run_erase(job, "")
            self._see_that_nothing_was_burnt(region, always=True)
        self._attempt(region).unlink(missing_ok=True)
        return str(max(0, self._unknown(region)))

    def look(self, region: Region, record: records.Record | None) -> Loaded | None:
        """What follows from how many regions the program counts in use, and from the records.

        The program does not say which regions it means. With none in use, each one is empty. With
        as many as were burnt, each holds what was burnt, unless the host was restarted since: that
        counts as a loss. With fewer, nobody knows which are lost. An erased region is empty while
        no more are in use than known when it was erased.
        """
        try:
            return self._conclude(region, record)
        except processes.Failed:
            # Another process may have been burning or erasing: then counts and records differ for
            # a moment.
            deadline = Deadline(self.card(region.slot.device).timeout)
            with self.card_locked(region.slot.device, deadline):
                return self._conclude(region, self._records.read(region))

    def _conclude(self, region: Region, record: records.Record | None) -> Loaded | None:
        used, total = self._status(region.slot.device)
        if used == 0:
            return None
        burnt = len(self._burnt_beside(region))
        if record is not None and record.loaded is not None:
            if used < burnt + 1:
                raise processes.Failed(
                    f"{burnt + 1} regions of the card were burnt, and {used} are in use"
                )
            return record.loaded if record.fresh else None
        if record is None and self._attempt(region).exists():
            raise processes.Failed("a burn was begun, and nobody knows how it ended")
        if used - burnt <= _baseline(record.sign if record else ""):
            return None
        if used == total:
            return Loaded("something that is not on record", "unknown")
        raise processes.Failed(f"{used} regions of the card are in use, and {burnt} are on record")

    def can_reset(self, region: Region) -> bool:
        """Whether the card's program has the verb."""
        card = self.cards.get(region.slot.device)
        return card is not None and bool(card.reset)

    def reset(self, region: Region, deadline: Deadline) -> None:
        """Have the program reset what it burnt, which it must know."""
        with self.erasing(region, deadline) as job:
            record = self._records.read(region)
            if record is None or record.loaded is None or not record.fresh:
                raise processes.Failed("what was burnt is not on record since the host started")
            places = {"id": record.sign, "index": str(region.slot.index)}
            job.run(*self._argv(region, "reset", **places))

    def host_nodes(self, region: Region) -> list[HostNode]:
        """As configured, with the identifier filled in."""
        record = self._records.read(region)
        identifier = record.sign if record is not None and record.loaded is not None else ""
        places = {"{id}": identifier, "{index}": str(region.slot.index)}
        found = self._nodes.get(region.slot.device, [])
        return [HostNode(node.kind, settings.fill(node.path, places)) for node in found]

    def _argv(self, region: Region, verb: str, **places: str) -> list[str]:
        options = self.card(region.slot.device)
        words = shlex.split(options[verb])
        values = {f"{{{name}}}": value for name, value in places.items()}
        return [options.exec, *(settings.fill(word, values) for word in words)]

    def _status(self, card: str) -> tuple[int, int]:
        """How many regions are used, and how many there are."""
        options = self.card(card)
        argv = [options.exec, *shlex.split(options.status)]
        finished = processes.run(argv, Deadline(options.timeout))
        if finished.status != 0:
            raise processes.Failed(finished.complaint)
        usage = _STATUS.search(finished.output)
        if usage is None or not int(usage[1]) <= int(usage[2]) <= _MAX_REGIONS:
            raise processes.Failed(f"{finished.name} status did not print 'Used regions: U/T'")
        return int(usage[1]), int(usage[2])

    def _needs_id(self, region: Region) -> bool:
        return "{id}" in self.card(region.slot.device).erase

    def _attempt(self, region: Region) -> pathlib.Path:
        return self._folder / f"{region.id}.attempt"

    def _counted(self, region: Region) -> pathlib.Path:
        """How many regions were in use, besides those that others have on record, at its erase."""
        return self._folder / f"{region.id}.counted"

    def _erase(self, job: hardware.Job, identifier: str) -> None:
        """Erase what was burnt, and see that the program counts one region less in use, or none.

        A program that does not know the identifier may have lost what it knew, so its exit status
        is no evidence. How many were in use before is in a file, for the case that an erase is
        killed once it is done.
        """
        region = job.region
        counted = self._counted(region)
        if not counted.exists():
            counted.write_text(str(self._unknown(region)))
        before = int(counted.read_text() or 0)
        finished = self._run_erase(job, identifier)
        used, _ = self._status(region.slot.device)
        if used and used - len(self._burnt_beside(region)) >= before:
            raise processes.Failed(
                f"{finished.complaint}, but {used} regions of the card are in use, as before"
            )

    def _run_erase(self, job: hardware.Job, identifier: str) -> processes.Finished:
        region = job.region
        finished = job.try_to_run(
            *self._argv(region, "erase", id=identifier, index=str(region.slot.index))
        )
        if finished.status not in (0, _UNKNOWN):
            raise processes.Failed(finished.complaint)
        return finished

    def _see_that_nothing_was_burnt(self, region: Region, always: bool = False) -> None:
        """See that a burn that was begun and did not end put nothing into the card.

        :param always: look also if none was begun
        """
        attempt = self._attempt(region)
        if not attempt.exists() and not always:
            return
        known = _baseline(attempt.read_text()) if attempt.exists() else 0
        used, _ = self._status(region.slot.device)
        if used and used - len(self._burnt_beside(region)) > known:
            raise processes.Failed(
                "a burn was begun and its identifier is not known; erase it with the program itself"
            )
        attempt.unlink(missing_ok=True)

    def _unknown(self, region: Region) -> int:
        """How many regions of the card, besides this one's, are in use and not on record.

        Negative if some that are on record are not in use any more.
        """
        used, _ = self._status(region.slot.device)
        return used - len(self._burnt_beside(region))

    def _burnt_beside(self, region: Region) -> list[str]:
        """The identifiers that are on record for the other regions of the card."""
        return [one.sign for one in self._records.beside(region) if one.loaded is not None]


def _baseline(text: str) -> int:
    """A number as _unknown gave it; none is on record from releases before 0.3."""
    return int(text) if text else 0


def _check(group: str, options: typing.Any) -> None:
    """See at once that a card's options can be used.

    :raises errors.NotAccessible: they cannot
    """
    if not options.exec.startswith("/"):
        raise errors.NotAccessible(f"[{group}] exec must be a full path, not {options.exec}")
    for verb, places in _PLACES.items():
        try:
            words = shlex.split(options[verb])
        except ValueError as e:
            raise errors.NotAccessible(f"[{group}] {verb}: {e}") from e
        unknown = {place for word in words for place in re.findall(r"\{(\w*)\}", word)} - places
        if unknown:
            raise errors.NotAccessible(
                f"[{group}] {verb}: there is no place {{{sorted(unknown)[0]}}} in it"
            )
