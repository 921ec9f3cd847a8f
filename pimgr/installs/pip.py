"""pip, as this release calls it: bound to the versions of the release, under a deadline, its failure in one line."""

from __future__ import annotations

import importlib.util
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path

import msgspec

from pimgr.api import Frozen
from pimgr.installs.generation import plain

DEADLINE_S = 1200.0
"""What one call of pip may take: a Pi may have to build, over a slow line."""
_CONFLICT = "The conflict is caused by:"
_TOLD = 3
"""Lines of pip's own that are passed on when it fails."""


_SETUPTOOLS = 77
"""The oldest setuptools that knows licences as plugins write them (PEP 639)."""


class NotInstalled(Exception):
    """Nothing was changed. Its text says why, and the cure."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where packages come from: `folders` of wheels and, unless `offline`, whatever index pip is set up for."""

    offline: bool = False
    folders: tuple[Path, ...] = ()

    @property
    def options(self) -> list[str]:
        folders = [f"--find-links={folder.absolute()}" for folder in self.folders]
        return [*(["--no-index"] if self.offline else []), *folders]


class Wanted(Frozen):
    """A distribution that has to be installed, as pip resolved it."""

    name: str
    version: str


class _Item(Frozen):
    metadata: Wanted


class _Report(Frozen):
    """The part of pip's installation report that matters here. Source: pip's documentation, "Installation Report"."""

    install: tuple[_Item, ...] = ()


def release(added: Path) -> dict[str, Distribution]:
    """Every distribution that this release can import, by plain name; not what was added in `added`."""
    path = [entry for entry in sys.path if not Path(entry or ".").absolute().is_relative_to(added.absolute())]
    found: dict[str, Distribution] = {}
    for one in distributions(path=path):
        name: str | None = one.name  # None where its metadata is gone
        if name:
            found.setdefault(plain(name), one)
    return found


def constraints(pinned: Iterable[tuple[str, str]], file: Path) -> Path:
    """A constraints file: nothing of this may be replaced by another version."""
    file.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pinned)), encoding="utf-8")
    return file


def resolve(requirements: Sequence[str], limits: Sequence[Path], sources: Sources, scratch: Path) -> list[Wanted]:
    """What must be installed besides the release for these requirements. Raises NotInstalled."""
    report = scratch / "report.json"
    report.unlink(missing_ok=True)
    bounds = [f"--constraint={file}" for file in limits]
    command = ["install", "--dry-run", f"--report={report}", *_isolation()]
    call([*command, *bounds, *sources.options, *requirements])
    found = msgspec.json.decode(report.read_bytes(), type=_Report)
    return [item.metadata for item in found.install]


def build(what: str, into: Path, sources: Sources) -> Path:
    """The wheel of one distribution: built from a folder or an archive, or fetched. Raises NotInstalled."""
    before = set(into.glob("*.whl"))
    call(["wheel", "--quiet", "--no-deps", *_isolation(), f"--wheel-dir={into}", *sources.options, what])
    made = sorted(set(into.glob("*.whl")) - before)
    if len(made) != 1:
        raise NotInstalled(f"{what} gave {len(made)} wheels where one was expected")
    return made[0]


def unpack(wheels: Sequence[Path], site: Path) -> None:
    """Install these wheels, and nothing else, into a folder. Raises NotInstalled."""
    call(["install", "--quiet", "--no-index", "--no-deps", f"--target={site}", *map(str, wheels)])


def call(arguments: Sequence[str]) -> None:
    """Run pip. Raises NotInstalled with its own words where it fails or doesn't end."""
    if importlib.util.find_spec("pip") is None:
        raise NotInstalled(f"there is no pip beside {sys.executable}; `{sys.executable} -m ensurepip`")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    environment = {key: value for key, value in os.environ.items() if key not in ("PIP_TARGET", "PYTHONPATH")}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=DEADLINE_S)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise NotInstalled(f"pip didn't end in {DEADLINE_S / 60:.0f} min; is the network slow?") from None
        raise
    if process.returncode != 0:
        raise NotInstalled(f"pip says: {told(output.decode(errors='replace'))}")


def told(output: str) -> str:
    """The lines in which pip says why: those of a conflict, which has a heading, or else its errors."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    if _CONFLICT in lines:
        why = list(itertools.takewhile(bool, lines[lines.index(_CONFLICT) + 1 :]))
    else:
        said = [line for line in lines if line]
        why = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")] or said or ["nothing"]
    return "; ".join(why[:_TOLD])[:800]


def _isolation() -> list[str]:
    """Build with the setuptools of this release where it has one: an isolated build would fetch another, unhashed."""
    try:
        major = int(version("setuptools").partition(".")[0])
    except (PackageNotFoundError, ValueError):
        return []
    return ["--no-build-isolation"] if major >= _SETUPTOOLS else []
