# SPDX-License-Identifier: Apache-2.0
"""Runs tempest against the demo cloud in DEMO_DIR, as root.

    python -m tests.tempest DEMO_DIR ROOTS_DIR all
    python -m tests.tempest DEMO_DIR ROOTS_DIR smoke

PYTHONPATH must have ``build_scripts``. ``DEMO_DIR/tempest`` has the
configuration, tempest's log, and the results for stestr. More words go to ``tempest run``, which
then decides what runs.
"""

import argparse
import asyncio
import configparser
import os
import pathlib
import shutil
import subprocess
import sys
import time

import openstack

from tests.tempest import configuration, content, image, passage, selection, verdict

#: The namespace of the client beyond the router.
NAMESPACE = "fpga-nova-outside"

#: Tests that have to pass, and those of them with SSH.
LEAST = {"all": (320, 20), "smoke": (14, 3)}


def main() -> int:
    """Do it.

    :returns: exit status, 1 if a test fails or too few pass
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo", type=pathlib.Path, help="the cloud's folder (DEMO_DIR)")
    parser.add_argument("roots", type=pathlib.Path, help="the cache of Debian roots (ROOTS_DIR)")
    parser.add_argument("suite", choices=selection.SUITES)
    options, more = parser.parse_known_args()
    environment = _environment(options.demo)
    os.environ.update(environment)
    cloud = openstack.connect(cloud="envvars")
    provided = content.provide(cloud, image.obtain(options.roots, "bookworm"))
    folder = options.demo / "tempest"
    _write(folder, configuration.text(provided, environment, folder, _filters(options.demo)))
    urls = [str(endpoint.url) for endpoint in cloud.identity.endpoints()]
    start = time.monotonic()
    status = asyncio.run(_run(folder, options.suite, more, passage.ports(urls)))
    print(f"minutes: {(time.monotonic() - start) / 60:.1f}")
    return _judge(folder, status, *((1, 0) if more else LEAST[options.suite]))


def _environment(demo: pathlib.Path) -> dict[str, str]:
    """The variables of the cloud's openrc."""
    output = subprocess.run(
        ["env", "-i", "bash", "-c", 'set -a; . "$0"; env -0', str(demo / "openrc")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    pairs = (line.partition("=") for line in output.split("\0"))
    return {name: value for name, _, value in pairs if name.startswith("OS_")}


def _filters(demo: pathlib.Path) -> str:
    """The filters of the cloud's scheduler."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read(demo / "etc" / "nova" / "nova.conf")
    return parser.get("filter_scheduler", "enabled_filters")


def _write(folder: pathlib.Path, text: str) -> None:
    # Results of an earlier run would be judged if this one gave none.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / "tempest.conf").write_text(text)
    excluded = selection.exclude_list(selection.exclusions())
    (folder / "excluded").write_text(excluded)


async def _run(folder: pathlib.Path, suite: str, more: list[str], ports: list[int]) -> int:
    """Run tempest in the client's namespace; its exit status."""
    tempest = pathlib.Path(sys.executable).with_name("tempest")
    words = more or ["--regex", selection.SUITES[suite]]
    async with passage.opened(NAMESPACE, ports):
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", NAMESPACE, str(tempest), "run"),
            *("--config-file", str(folder / "tempest.conf")),
            *("--exclude-list", str(folder / "excluded"), "--concurrency", "2", *words),
            cwd=folder,
        )
        return await process.wait()


def _judge(folder: pathlib.Path, status: int, passed: int, by_ssh: int) -> int:
    """Print the results; the exit status.

    :param status: tempest's, which fails without a failed test if a worker dies
    :param by_ssh: the least number of tests that pass with SSH
    """
    stestr = pathlib.Path(sys.executable).with_name("stestr")
    with subprocess.Popen(
        [str(stestr), "last", "--subunit"], cwd=folder, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        results = verdict.read(process.stdout)
    for line in verdict.lines(results, len(selection.exclusions())):
        print(line)
    shortcomings = results.shortcomings(passed, by_ssh)
    if status and not results.failed:
        shortcomings.append(f"tempest failed: exit status {status}")
    for line in shortcomings:
        print(line, file=sys.stderr)
    return 1 if shortcomings else 0


if __name__ == "__main__":
    sys.exit(main())
