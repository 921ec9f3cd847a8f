"""Adding, removing and rebuilding: a new generation beside the old one, and a link that is flipped when all is well."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import Distribution, version
from pathlib import Path

import msgspec

from pimgr.installs import asking, durable, pip
from pimgr.installs.asking import Ask
from pimgr.installs.generation import (
    ALLOWED,
    CURRENT,
    SITE,
    WHEELS,
    Allowed,
    Generation,
    Installed,
    installed_in,
    number,
    plain,
    record_digest,
    this_python,
)
from pimgr.installs.judging import judge_site
from pimgr.installs.pip import NotInstalled, Sources, Wanted

KEPT = 2
"""Generations that stay: the one in force, and the one before it."""


@dataclass(kw_only=True)
class Work:
    """A generation being made. `asks`: what is wanted; `pins`: what of the former generation should stay as it is."""

    base: Path
    scratch: Path
    sources: Sources
    asks: list[Ask]
    pins: list[tuple[str, str]] = field(default_factory=list)

    @property
    def site(self) -> Path:
        return self.scratch / SITE

    @property
    def wheels(self) -> Path:
        return self.scratch / WHEELS


def add(base: Path, what: str, sources: Sources) -> Generation:
    """Add PACKAGE==VERSION, a folder, or a wheel, beside what was added before. Raises NotInstalled."""
    with _making(base) as scratch:
        before = asking.before(base)
        work = Work(base=base, scratch=scratch, sources=sources, asks=[asking.asked(what, scratch, sources)])
        named = work.asks[0].distribution
        if named in pip.release(base):
            raise NotInstalled(f"{named} is part of this installation; what was added can't replace it")
        work.asks += asking.kept(base, before, leave=named)
        work.pins = asking.pins(before, leave=named)
        return _make(work)


def remove(base: Path, name: str) -> Generation:
    """Take away the distribution that brings a plugin. Raises NotInstalled."""
    with _making(base) as scratch:
        before = asking.before(base)
        root = before.root(name)
        if root is None:
            has = ", ".join(plugin for each in before.roots for plugin in each.plugins) or "nothing"
            raise NotInstalled(f"{name} wasn't added here; what was: {has}")
        asks, pins = asking.kept(base, before, leave=plain(root.name)), asking.pins(before, leave=plain(root.name))
        return _make(Work(base=base, scratch=scratch, sources=Sources(offline=True), asks=asks, pins=pins))


def rebuild(base: Path, sources: Sources) -> Generation:
    """Install the same plugins again from the kept wheels, for the Python and the release of now. Raises NotInstalled.

    What was compiled for another Python is fetched anew, unless `sources` are offline.
    """
    with _making(base) as scratch:
        before = asking.last_known(base)
        if before is None:
            raise NotInstalled(f"nothing was ever added in {base}")
        asks = asking.kept(base, before, leave="")
        try:
            same = Work(base=base, scratch=scratch, sources=Sources(offline=True), asks=asks, pins=asking.pins(before))
            return _make(same)
        except NotInstalled:
            if sources.offline and not sources.folders:
                raise
            shutil.rmtree(scratch)
            scratch.mkdir()
        return _make(Work(base=base, scratch=scratch, sources=sources, asks=asks))


# ------------------------------------------------------------------------------------------------------------ making


@contextmanager
def _making(base: Path) -> Iterator[Path]:
    """A scratch folder in `base`, with the only right to change anything there. Raises NotInstalled."""
    umask = os.umask(0o022)  # the service reads what root writes here
    try:
        durable.make_base(base)
        lock = os.open(base / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for stale in base.glob(".making-*"):
                shutil.rmtree(stale)
            scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=base))
            try:
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        finally:
            os.close(lock)
    except BlockingIOError:
        raise NotInstalled(f"another `pimgr plugin` is changing {base}; wait for it") from None
    except PermissionError as error:
        raise NotInstalled(f"{error.filename or base} may not be written by this user; say it with sudo") from None
    except OSError as error:
        raise NotInstalled(f"{error.filename or base} can't be written: {error.strerror or error}") from None
    finally:
        os.umask(umask)


def _make(work: Work) -> Generation:
    """Install, judge, write down, and only then flip the link."""
    work.wheels.mkdir()
    work.site.mkdir()
    wanted = _resolved(work)
    files = _collected(work, wanted)
    if files:
        pip.unpack(list(files.values()), work.site)
    roots = judge_site(work.site, [(ask.distribution, ask.source) for ask in work.asks], work.base)
    made = sorted(installed_in(work.site), key=lambda one: plain(one.name))
    installed = tuple(_installed(one, files[plain(one.name)]) for one in made)
    allowed = Allowed(python=this_python(), pimgr=version("pimgr"), roots=roots, distributions=installed)
    return _put_in_force(work, allowed, list(files.values()))


def _installed(one: Distribution, wheel: Path) -> Installed:
    record = record_digest(one)
    if not record:
        raise NotInstalled(f"{one.name} has no RECORD, so what it brings can't be checked later")
    return Installed(
        name=one.name, version=one.version, record=record, wheel=wheel.name, wheel_sha256=asking.digest(wheel)
    )


def _resolved(work: Work) -> list[Wanted]:
    """All that must be installed. What was there before stays as it was, unless something new needs it otherwise."""
    if not work.asks:
        return []
    own = [(name, one.version) for name, one in pip.release(work.base).items()]
    limits = [pip.constraints(own, work.scratch / "release.txt")]
    sources = Sources(offline=work.sources.offline, folders=(*work.sources.folders, work.base / WHEELS))
    requirements = [ask.requirement for ask in work.asks]
    if work.pins:
        same = pip.constraints(work.pins, work.scratch / "same.txt")
        try:
            return pip.resolve(requirements, [*limits, same], sources, work.scratch)
        except NotInstalled:
            pass
    return pip.resolve(requirements, limits, sources, work.scratch)


def _collected(work: Work, wanted: Sequence[Wanted]) -> dict[str, Path]:
    """The wheel of everything, by plain name, in the scratch folder."""
    sources = Sources(offline=work.sources.offline, folders=(*work.sources.folders, work.base / WHEELS))
    given = {ask.distribution: ask.requirement for ask in work.asks if ask.requirement.endswith(".whl")}
    files: dict[str, Path] = {}
    for one in wanted:
        name = plain(one.name)
        if name in given:
            files[name] = Path(shutil.copy(given[name], work.wheels))
        else:
            files[name] = pip.build(f"{one.name}=={one.version}", work.wheels, sources)
    return files


def _put_in_force(work: Work, allowed: Allowed, wheels: Sequence[Path]) -> Generation:
    """Everything on the disk first, then the link: after a power cut it is the old generation or the new one."""
    base = work.base
    kept = base / WHEELS
    kept.mkdir(exist_ok=True)
    for wheel in wheels:
        durable.sync_file(wheel)
        wheel.replace(kept / wheel.name)
    durable.sync_folder(kept)
    number_ = 1 + max((number(path.name) for path in base.iterdir()), default=0)
    making, folder = work.scratch / "gen", base / f"gen-{number_}"
    making.mkdir()
    work.site.rename(making / SITE)
    durable.write(making / ALLOWED, msgspec.json.format(msgspec.json.encode(allowed)))
    durable.sync_tree(making)
    making.rename(folder)
    durable.sync_folder(base)
    durable.point(base / CURRENT, folder.name)
    _prune(base, folder.name, allowed)
    return Generation(folder, allowed)


def _prune(base: Path, newest: str, allowed: Allowed) -> None:
    """Remove old generations that no process loads from, and wheels that none of those left was made from."""
    generations = sorted((path for path in base.iterdir() if number(path.name)), key=lambda path: -number(path.name))
    wheels = {one.wheel for one in allowed.distributions}
    for place, path in enumerate(generations):
        if path.name != newest and place >= KEPT and durable.remove_unless_used(path):
            continue
        try:
            left = msgspec.json.decode((path / ALLOWED).read_bytes(), type=Allowed)
        except (OSError, msgspec.DecodeError):
            continue
        wheels |= {one.wheel for one in left.distributions}
    for wheel in (base / WHEELS).glob("*.whl"):
        if wheel.name not in wheels:
            wheel.unlink()
