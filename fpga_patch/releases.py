# SPDX-License-Identifier: Apache-2.0
"""The diffs there are, the releases they serve, and the Nova that is installed."""

import collections.abc
import dataclasses
import importlib.metadata
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import typing

from fpga_patch import errors, store

PATCHES = pathlib.Path(__file__).resolve().parent / "diffs"

#: Where distributions install Nova, looked at where this interpreter has none.
DISTRIBUTION = (pathlib.Path("/usr/lib/python3/dist-packages"),)

Side = typing.Literal["stock", "patched"]
State = typing.Literal["stock", "patched", "foreign", "missing"]

_SIDES: tuple[Side, ...] = typing.get_args(Side)


@dataclasses.dataclass(frozen=True)
class Diff:
    """A diff, the folder it applies in and, for each file, its SHA-256 before and after.

    There is a pair of them for each text of the file that the releases of the diff have.
    """

    file: pathlib.Path
    nova: pathlib.Path
    digests: dict[str, tuple[tuple[str, str], ...]]

    def states(self) -> dict[str, State]:
        """What each file is now."""
        return {name: self._state(name) for name in self.digests}

    def result(
        self, target: Side, contents: collections.abc.Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """What contents of all files of the diff become when it is applied or taken back.

        :raises errors.PatchError: patch(1) fails, or leaves other contents than the table says
        """
        direction = "--forward" if target == "patched" else "--reverse"
        expected = {
            name: self._to(target, name).get(store.sha256(content))
            for name, content in contents.items()
        }
        with tempfile.TemporaryDirectory(prefix="fpga-patch-") as scratch:
            folder = pathlib.Path(scratch)
            for name, content in contents.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            self._patch(folder, direction)
            results = {name: (folder / name).read_bytes() for name in contents}
        if expected != {name: store.sha256(content) for name, content in results.items()}:
            raise errors.PatchError(f"{self.file.name} left other contents than its table says")
        return results

    def _state(self, name: str) -> State:
        is_now = store.digest(self.nova / name)
        if is_now is None:
            return "missing"
        return next((side for side in _SIDES if is_now in self._to(side, name).values()), "foreign")

    def _to(self, target: Side, name: str) -> dict[str | None, str]:
        """What each text of a file becomes when the diff is applied or taken back."""
        pairs = self.digests[name]
        if target == "patched":
            return dict(pairs)
        return {after: before for before, after in pairs}

    def _patch(self, folder: pathlib.Path, direction: str) -> None:
        command = ["patch", "-p1", "-F0", "--force", "--reject-file=-", "--no-backup-if-mismatch"]
        try:
            result = subprocess.run(
                [*command, direction, "-i", str(self.file)],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError as e:
            raise errors.PatchError("the program 'patch' is not installed; install patch(1)") from e
        if result.returncode:
            output = f"{result.stdout}{result.stderr}".strip()
            raise errors.PatchError(f"{self.file.name} does not apply: {output}")


def find_nova(site_packages: pathlib.Path | None) -> pathlib.Path:
    """The folder of the package nova.

    In the folder named, or else where this interpreter has it, or else the distribution's.

    :raises errors.UnknownNovaError: there is none
    """
    if site_packages is not None:
        nova = site_packages.resolve() / "nova"
        if not nova.is_dir():
            raise errors.UnknownNovaError(f"no folder 'nova' in {site_packages}")
        return nova
    spec = importlib.util.find_spec("nova")
    if spec is not None and spec.origin is not None:
        return pathlib.Path(spec.origin).resolve().parent
    for packages in DISTRIBUTION:
        if (packages / "nova").is_dir():
            return packages / "nova"
    raise errors.UnknownNovaError(
        f"{sys.executable} has no Nova; run this with Nova's interpreter or name the folder "
        "that Nova is installed in by --site-packages"
    )


def version_of(nova: pathlib.Path) -> str:
    """The release of Nova that is installed there.

    :raises errors.UnknownNovaError: there is no record of one
    """
    installed = importlib.metadata.distributions(name="nova", path=[str(nova.parent)])
    version = next((found.version for found in installed), None)
    if version is None:
        raise errors.UnknownNovaError(
            f"no record of an installed Nova (nova-*.dist-info or .egg-info) in {nova.parent}"
        )
    return version


def find_diffs(
    nova: pathlib.Path, version: str, with_tests: bool, patches: pathlib.Path = PATCHES
) -> list[Diff]:
    """The diffs for a release of Nova, that for Nova's own tests included or not.

    :raises errors.UnknownNovaError: there is none for this release
    """
    releases = tomllib.loads((patches / "releases.toml").read_text())["release"]
    for release in releases:
        if version in release["versions"]:
            parts = [release["diff"]] + ([release["tests"]] if with_tests else [])
            return [_diff(part, nova, patches) for part in parts]
    known = ", ".join(version for release in releases for version in release["versions"])
    raise errors.UnknownNovaError(
        f"no diff for Nova {version} in {nova.parent}; there is one for {known}; install a "
        "fpga-nova that knows this release, or one of these releases (docs/patching.md describes "
        "how to add a release)"
    )


def _diff(
    part: collections.abc.Mapping[str, typing.Any], nova: pathlib.Path, patches: pathlib.Path
) -> Diff:
    digests = {name: tuple((b, a) for b, a in pairs) for name, pairs in part["files"].items()}
    return Diff(patches / part["file"], nova, digests)
