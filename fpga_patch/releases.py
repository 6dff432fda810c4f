# SPDX-License-Identifier: Apache-2.0
"""Puts the diff of patches/ into an installed Nova, takes it back, or tells whether it is there.

    fpga-patch status|apply|revert [--tests] [--site-packages DIR]

A file that is neither as Nova shipped it nor as the diff leaves it belongs to somebody else, and
nothing is touched: patch(1) changes the files it can and leaves the others, so all is settled
before it runs, and the old contents are put back should it fail half-way.

Exit status: 0 done (status: patched); 1 status: not patched; 2 wrong usage; 3 no Nova, or a release
without a diff; 4 files changed by somebody else; 5 patch(1) is missing or failed.
"""

import argparse
import collections.abc
import compileall
import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import sys
import tomllib
import typing

PATCHES = pathlib.Path(__file__).resolve().parent / "diffs"

State = typing.Literal["stock", "patched"]

_SIDES: tuple[State, ...] = typing.get_args(State)


class PatchError(Exception):
    """It cannot be done; ``code`` is the exit status."""

    code = 5


class UnknownNovaError(PatchError):
    """There is no Nova, or none that a diff was made for."""

    code = 3


class ForeignChangeError(PatchError):
    """Files are neither as Nova shipped them nor as the diff leaves them."""

    code = 4


@dataclasses.dataclass(frozen=True)
class Diff:
    """A diff, the folder it applies in and, for each file, its SHA-256 before and after.

    There is a pair of them for each text of the file that the releases of the diff have.
    """

    file: pathlib.Path
    nova: pathlib.Path
    digests: dict[str, tuple[tuple[str, str], ...]]

    def state(self) -> State:
        """Whether the files are as shipped or as the diff leaves them.

        :raises ForeignChangeError: neither, or some this and some that
        """
        found: dict[str, list[str]] = {"stock": [], "patched": [], "foreign": []}
        for name in self.digests:
            is_now = _digest(self.nova / name)
            known: list[State] = [s for s in _SIDES if is_now in self._to(s, name).values()]
            found[known[0] if known else "foreign"].append(name)
        if found["foreign"]:
            raise ForeignChangeError(
                f"changed by somebody else or missing in {self.nova}: "
                f"{', '.join(found['foreign'])}; reinstall this release of Nova, then apply again"
            )
        if found["stock"] and found["patched"]:
            raise ForeignChangeError(
                f"{self.nova} is half patched, not yet: {', '.join(found['stock'])}; "
                "reinstall this release of Nova, then apply again"
            )
        return "patched" if found["patched"] else "stock"

    def apply(self) -> None:
        """Change the files.

        :raises PatchError: it failed; the files are as before
        """
        self._run("--forward", wanted="patched")

    def revert(self) -> None:
        """Put the files back as Nova shipped them.

        :raises PatchError: it failed; the files are as before
        """
        self._run("--reverse", wanted="stock")

    def _run(self, direction: str, wanted: State) -> None:
        self._patch(direction, "--dry-run")
        paths = [self.nova / name for name in self.digests]
        before = {path: path.read_bytes() for path in paths}
        expected = {n: self._to(wanted, n).get(_digest(self.nova / n)) for n in self.digests}
        try:
            self._patch(direction)
            if expected != {name: _digest(self.nova / name) for name in self.digests}:
                raise PatchError(f"{self.file.name} left other contents than its table says")
        except BaseException:
            for path, content in before.items():
                path.write_bytes(content)
            raise
        for path in paths:
            compileall.compile_file(path, force=True, quiet=1)

    def _to(self, wanted: State, name: str) -> dict[str | None, str]:
        """What each text of a file becomes when the diff is applied or taken back."""
        pairs = self.digests[name]
        if wanted == "patched":
            return dict(pairs)
        return {after: before for before, after in pairs}

    def _patch(self, *options: str) -> None:
        command = ["patch", "-p1", "-F0", "--force", "--reject-file=-", "--no-backup-if-mismatch"]
        try:
            ran = subprocess.run(
                [*command, *options, "-i", str(self.file)],
                cwd=self.nova,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError as e:
            raise PatchError("the program 'patch' is not installed; install patch(1)") from e
        if ran.returncode:
            raise PatchError(f"{self.file.name} does not apply: {ran.stdout}{ran.stderr}".strip())


def find_nova(site_packages: pathlib.Path | None) -> pathlib.Path:
    """The folder of the package nova: in this folder, or else where this interpreter has it.

    :raises UnknownNovaError: there is none
    """
    if site_packages is not None:
        nova = site_packages.resolve() / "nova"
        if not nova.is_dir():
            raise UnknownNovaError(f"no folder 'nova' in {site_packages}")
        return nova
    spec = importlib.util.find_spec("nova")
    if spec is None or spec.origin is None:
        raise UnknownNovaError(
            f"{sys.executable} has no Nova; run this with Nova's interpreter or name the folder "
            "that Nova is installed in by --site-packages"
        )
    return pathlib.Path(spec.origin).resolve().parent


def find_diffs(nova: pathlib.Path, with_tests: bool, patches: pathlib.Path) -> list[Diff]:
    """The diffs for the release of Nova that is installed there, Nova's own tests included or not.

    :raises UnknownNovaError: there is none for this release
    """
    installed = importlib.metadata.distributions(name="nova", path=[str(nova.parent)])
    version = next((found.version for found in installed), None)
    if version is None:
        raise UnknownNovaError(
            f"no record of an installed Nova (nova-*.dist-info) in {nova.parent}"
        )
    releases = tomllib.loads((patches / "releases.toml").read_text())["release"]
    for release in releases:
        if version in release["versions"]:
            parts = [release["diff"]] + ([release["tests"]] if with_tests else [])
            return [_diff(part, nova, patches) for part in parts]
    known = ", ".join(version for release in releases for version in release["versions"])
    raise UnknownNovaError(f"no diff for Nova {version} in {nova.parent}; there is one for {known}")


def _diff(
    part: collections.abc.Mapping[str, typing.Any], nova: pathlib.Path, patches: pathlib.Path
) -> Diff:
    digests = {name: tuple((b, a) for b, a in pairs) for name, pairs in part["files"].items()}
    return Diff(patches / part["file"], nova, digests)


def _digest(path: pathlib.Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def run(command: str, diffs: list[Diff]) -> int:
    """Do what the command says to every diff; every file is looked at before any is touched.

    :returns: the exit status
    :raises PatchError: it cannot be done
    """
    wanted = "stock" if command == "revert" else "patched"
    states = [diff.state() for diff in diffs]
    for diff, state in zip(diffs, states, strict=True):
        if command == "status":
            print(f"{diff.file.name}: {state} in {diff.nova}")
        elif state == wanted:
            print(f"{diff.file.name}: {state} already in {diff.nova}")
        else:
            diff.apply() if command == "apply" else diff.revert()
            print(f"{diff.file.name}: {wanted} now in {diff.nova}")
    return int(command == "status" and set(states) != {"patched"})


def main(argv: collections.abc.Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="fpga-patch", description="Patch an installed Nova, or take the patch back."
    )
    parser.add_argument("command", choices=("status", "apply", "revert"))
    parser.add_argument(
        "--site-packages",
        type=pathlib.Path,
        metavar="DIR",
        help="the folder that holds nova/ (default: the one this interpreter imports)",
    )
    parser.add_argument(
        "--tests", action="store_true", help="the companion diff for Nova's own tests as well"
    )
    parser.add_argument(
        "--patches", type=pathlib.Path, default=PATCHES, metavar="DIR", help=argparse.SUPPRESS
    )
    arguments = parser.parse_args(argv)
    os.umask(0o022)  # a stricter one would hide the new files from the services
    try:
        nova = find_nova(arguments.site_packages)
        return run(arguments.command, find_diffs(nova, arguments.tests, arguments.patches))
    except PatchError as e:
        print(f"Error: fpga-patch - {e}", file=sys.stderr)
        return e.code


if __name__ == "__main__":
    sys.exit(main())
