"""What a person asks for, and what was there before, as pip is told it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pimgr.installs import pip
from pimgr.installs.generation import ALLOWED, WHEELS, Allowed, Untrusted, current, number, plain
from pimgr.installs.pip import NotInstalled, Sources

_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_LEFTOVERS = shutil.ignore_patterns(".git", "__pycache__", "build", "dist", "*.egg-info", ".venv", ".*_cache")


@dataclass(frozen=True)
class Ask:
    """One plugin's distribution to have: as pip is told it, and as a person said it."""

    requirement: str
    source: str

    @property
    def distribution(self) -> str:
        """The plain name: of a package with its version, or of a wheel's file."""
        package = _PACKAGE.fullmatch(self.requirement)
        return plain(package.group(1) if package else Path(self.requirement).name.partition("-")[0])


def asked(what: str, scratch: Path, sources: Sources) -> Ask:
    """What a person typed, as pip is told it; a folder is built from a copy, as a user's build folder may be stale."""
    path = Path(what)
    if path.is_dir():
        if not (path / "pyproject.toml").is_file():
            raise NotInstalled(f"{path} has no pyproject.toml, so it is no plugin's source")
        copy = scratch / "source"
        shutil.copytree(path, copy, symlinks=True, ignore=_leaving_out(scratch.parent))
        return Ask(str(pip.build(str(copy), scratch, sources)), str(path.absolute()))
    if path.is_file():
        if path.name.endswith((".tar.gz", ".zip")):
            return Ask(str(pip.build(str(path.absolute()), scratch, sources)), str(path.absolute()))
        if path.suffix != ".whl":
            raise NotInstalled(f"{path} is neither a wheel nor a plugin's source")
        return Ask(str(path.absolute()), str(path.absolute()))
    if _PACKAGE.fullmatch(what):
        return Ask(what, what)
    cure = "say which: PACKAGE==VERSION, the folder of a plugin's source, or a wheel"
    raise NotInstalled(f"{what!r} is no file here, and names no version; {cure}")


def _leaving_out(base: Path) -> Callable[[str, list[str]], set[str]]:
    """What is not copied: what earlier builds left, and `base` itself, if it is in there."""
    inside = base.resolve()

    def ignored(folder: str, names: list[str]) -> set[str]:
        return _LEFTOVERS(folder, names) | {name for name in names if Path(folder, name).resolve() == inside}

    return ignored


def before(base: Path) -> Allowed:
    """What the generation in force allows. Raises NotInstalled where it can't be relied on."""
    try:
        generation = current(base)
    except Untrusted as why:
        raise NotInstalled(str(why)) from None
    return generation.allowed if generation is not None else Allowed()


def last_known(base: Path) -> Allowed | None:
    """The list of the generation in force or, where that is damaged, of the newest one that has one."""
    try:
        generation = current(base)
        return None if generation is None else generation.allowed
    except Untrusted:
        lists = sorted(base.glob(f"gen-*/{ALLOWED}"), key=lambda path: number(path.parent.name), reverse=True)
        for path in lists:
            try:
                return msgspec.json.decode(path.read_bytes(), type=Allowed)
            except (OSError, msgspec.DecodeError):
                continue
        raise


def kept(base: Path, before: Allowed, leave: str) -> list[Ask]:
    """The plugins of the former generation, from their kept wheels. Raises NotInstalled where one was altered."""
    asks = []
    for root in before.roots:
        if plain(root.name) == leave:
            continue
        known = before.distribution(root.name)
        wheel = base / WHEELS / (known.wheel if known else "")
        if known is None or not wheel.is_file() or digest(wheel) != known.wheel_sha256:
            raise NotInstalled(f"the kept wheel of {root.name} is gone or altered; add it again, or remove it first")
        asks.append(Ask(str(wheel), root.source))
    return asks


def pins(before: Allowed, leave: str = "") -> list[tuple[str, str]]:
    return [(one.name, one.version) for one in before.distributions if plain(one.name) != leave]


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
