# SPDX-License-Identifier: Apache-2.0
"""What each verb of fpga-cli does: asks the manager, prints the answer, gives the exit status.

Each imports what it needs when it runs: `status` must answer fast without the region manager, too,
which has imported all of it.
"""

import argparse
import contextlib
import functools
import pathlib
import typing

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from fpga_regions.ledger.ledger import Ledger
    from fpga_regions.ledger.status_file import Publisher
    from fpga_regions.manager.bitstreams import Bitstream
    from fpga_regions.manager.manager import Manager
    from fpga_regions.model import Claim


def burn(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Program a region and print its id, or say which one it would be."""
    bitstream = _bitstream(conf, options)
    with _opened(conf) as (manager, _ledger):
        if options.dry_run:
            return _plan(manager, bitstream, options.claim)
        print(manager.burn(bitstream, options.claim))
    return 0


def _bitstream(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> "Bitstream":
    from fpga_regions.image import glance, sources
    from fpga_regions.manager import bitstreams

    if options.file is not None:
        return bitstreams.File(sources.from_file(conf, pathlib.Path(options.file)))
    fetch = functools.partial(sources.from_glance, conf)
    return bitstreams.Image(glance.proper_id(options.image_id), fetch)


def _plan(manager: "Manager", bitstream: "Bitstream", claim: "Claim") -> int:
    from fpga_regions.command import output

    choices, failure = manager.plan(bitstream, claim)
    print(output.choices_text(choices))
    if failure is not None:
        raise failure
    return 0


def hold(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Hold a region for an owner and print its id."""
    with _opened(conf) as (manager, _ledger):
        print(manager.hold(options.claim, options.board))
    return 0


def replace(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Put another bitstream into a region, and print its id or what became of its nodes."""
    from fpga_regions.command import output
    from fpga_regions.image import sources

    find = functools.partial(sources.previous, conf)
    with _opened(conf) as (manager, _ledger):
        outcome = manager.replace(
            options.region_id, options.owner, _bitstream(conf, options), find, options.same_nodes
        )
    if options.format == "json":
        print(output.replacement_json(outcome))
    elif outcome.failure is None:
        print(outcome.region_id)
    if outcome.failure is not None:
        raise outcome.failure
    return 0


def disconnect(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Close the connections to an owner's regions, and print which regions have none then."""
    with _opened(conf) as (manager, _ledger):
        for region_id in manager.disconnect(options.owner):
            print(region_id)
    return 0


def erase(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Erase a region, or all that an owner holds."""
    with _opened(conf) as (manager, _ledger):
        manager.erase(options.region_id, options.owner)
    return 0


def status(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Print how many regions are in use, or all that is known."""
    from fpga_regions.ledger import status as report
    from fpga_regions.ledger import status_file

    publisher, began = status_file.Publisher(conf), status_file.uptime()
    with _opened(conf, publisher) as (manager, ledger):
        regions = manager.regions()
        publisher.looked(ledger, regions, began)
    print(report.as_json(regions) if options.format == "json" else report.text(regions))
    return 0


def describe(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Print what is known of one region."""
    from fpga_regions.command import output

    with _opened(conf) as (manager, _ledger):
        manager.refresh()
        region = manager.worker.as_it_is(manager.known(options.region_id))
        healthy = manager.worker.healthy(region)
    report = output.region_json if options.format == "json" else output.region_text
    print(report(region, healthy))
    return 0


def events(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Print what happened."""
    from fpga_regions.command import output

    with _opened(conf) as (manager, ledger):
        if options.region_id is not None:
            manager.known(options.region_id)
        found = ledger.events(options.region_id, options.last)
    print(output.events_json(found) if options.format == "json" else output.events_text(found))
    return 0


def reconcile(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Print where hardware and ledger differ, and what was done about it."""
    from fpga_regions.command import output
    from fpga_regions.manager import reconcile as reconciling

    with _opened(conf) as (manager, ledger):
        found = reconciling.Reconciler(ledger, manager, options.fix).run()
    if options.format == "json":
        print(output.differences_json(found))
    elif found:
        print(output.differences_text(found))
    failure = reconciling.failure(found)
    if failure is not None:
        raise failure
    return 0


def quarantine(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Take a region out of use."""
    with _opened(conf) as (manager, _ledger):
        manager.quarantine(options.region_id, options.reason)
    return 0


def release(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Free a region that is in quarantine."""
    with _opened(conf) as (manager, _ledger):
        manager.release(options.region_id)
    return 0


def prepare(conf: "cfg.ConfigOpts", _options: argparse.Namespace) -> int:
    """Prepare for the first burns of the bitstream images that changed."""
    from fpga_regions.drivers import api
    from fpga_regions.manager import preparation

    preparation.prepare(conf, api.load(conf))
    return 0


@contextlib.contextmanager
def _opened(
    conf: "cfg.ConfigOpts", publisher: "Publisher | None" = None
) -> "typing.Iterator[tuple[Manager, Ledger]]":
    from fpga_regions.drivers import api
    from fpga_regions.ledger import ledger, status_file
    from fpga_regions.manager import manager

    drivers = api.load(conf)
    folder, publisher = pathlib.Path(conf.state_dir), publisher or status_file.Publisher(conf)
    options = (conf.ledger_timeout, conf.events_kept, publisher.changed)
    with contextlib.closing(ledger.Ledger(folder, *options)) as db:
        yield manager.Manager(conf, db, drivers), db
        publisher.ended(db)
