# SPDX-License-Identifier: Apache-2.0
"""What each verb of fpga-cli does: asks the manager, prints the answer, gives the exit status.

Each imports what it needs when it runs: `status` is called often and must answer fast.
"""

import argparse
import contextlib
import pathlib
import typing

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from fpga_regions.ledger.ledger import Ledger
    from fpga_regions.ledger.status_file import Publisher
    from fpga_regions.manager.manager import Manager
    from fpga_regions.package.reader import Package


def burn(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Program a region and print its id, or tell which one it would be."""
    from fpga_regions.image import glance, sources

    image_id = None if options.image_id is None else glance.proper_id(options.image_id)
    package = None
    if options.file is not None:
        package = sources.from_file(conf, pathlib.Path(options.file))
    with _opened(conf) as (manager, _ledger):
        if options.dry_run:
            wanted = package or sources.from_glance(conf, image_id or "")
            return _plan(manager, image_id, wanted, options)
        if package is not None:
            print(manager.burn_package(package, options.owner, options.device, options.number))
        else:
            print(manager.burn(image_id or "", options.owner, options.device, options.number))
    return 0


def _plan(
    manager: "Manager", image_id: str | None, package: "Package", options: argparse.Namespace
) -> int:
    from fpga_regions.command import output

    wish = (options.owner, options.device, options.number)
    choices, failure = manager.plan(image_id, package, *wish)
    print(output.choices_text(choices))
    if failure is not None:
        raise failure
    return 0


def erase(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Erase a region, or all that an owner holds."""
    with _opened(conf) as (manager, _ledger):
        manager.erase(options.region_id, options.owner)
    return 0


def status(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Print how many regions are in use, or all that is known."""
    from fpga_regions.ledger import status as told
    from fpga_regions.ledger import status_file

    publisher, began = status_file.Publisher(conf), status_file.uptime()
    with _opened(conf, publisher) as (manager, ledger):
        regions = manager.regions()
        publisher.looked(ledger, regions, began)
    print(told.as_json(regions) if options.format == "json" else told.text(regions))
    return 0


def describe(conf: "cfg.ConfigOpts", options: argparse.Namespace) -> int:
    """Print what is known of one region."""
    from fpga_regions.command import output

    with _opened(conf) as (manager, _ledger):
        manager.refresh()
        region = manager.worker.as_it_is(manager.known(options.region_id))
        healthy = manager.worker.healthy(region)
    told = output.region_json if options.format == "json" else output.region_text
    print(told(region, healthy))
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


@contextlib.contextmanager
def _opened(
    conf: "cfg.ConfigOpts", publisher: "Publisher | None" = None
) -> "typing.Iterator[tuple[Manager, Ledger]]":
    from fpga_regions.drivers import api
    from fpga_regions.ledger import ledger, status_file
    from fpga_regions.manager import manager

    def fetch(image_id: str) -> "Package":
        from fpga_regions.image import sources

        return sources.from_glance(conf, image_id)

    drivers = api.load(conf)
    folder, publisher = pathlib.Path(conf.state_dir), publisher or status_file.Publisher(conf)
    options = (conf.ledger_timeout, conf.events_kept, publisher.changed)
    with contextlib.closing(ledger.Ledger(folder, *options)) as db:
        yield manager.Manager(conf, db, drivers, fetch), db
        publisher.ended(db)
