"""What of the added plugins may be loaded here, and why not the rest. Reads; imports nothing of theirs."""

from __future__ import annotations

import fcntl
import os
import sys
from dataclasses import dataclass, field
from importlib.metadata import Distribution
from pathlib import Path

from pimgr.installs.generation import (
    CURRENT,
    SITE,
    Generation,
    Untrusted,
    altered,
    current,
    installed_in,
    plain,
    record_digest,
    this_python,
)

_held: dict[Path, int] = {}
"""The generations that this process loads from: a lock on each tells `pimgr plugin add` not to remove it."""


@dataclass(frozen=True)
class Added:
    """The generation in force. `problem`: why none of it may be loaded; `reasons`: why one distribution may not."""

    generation: Generation | None = None
    problem: str = ""
    distributions: tuple[Distribution, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    _checked: dict[str, str] = field(default_factory=dict)

    def reason(self, distribution: str) -> str:
        """Why this distribution may not be loaded; "" if it may. Reads all its files, and those it may stand on."""
        if why := self.problem or self.reasons.get(plain(distribution), ""):
            return why
        roots = {plain(root.name) for root in self.generation.allowed.roots} if self.generation else set()
        for one in self.distributions:
            own = plain(one.name) == plain(distribution)
            if (own or plain(one.name) not in roots | self.reasons.keys()) and (why := self._altered(one)):
                return why if own else f"{one.name}: {why}"
        return ""

    def _altered(self, one: Distribution) -> str:
        name = plain(one.name)
        if name not in self._checked:
            file = altered(one)
            cure = "`sudo pimgr plugin rebuild`"
            self._checked[name] = f"its file {file} was altered after it was added; {cure}" if file else ""
        return self._checked[name]

    def enter(self) -> None:
        """Let its modules be imported, after all others: a module of the release always comes first."""
        if self.generation is None or self.problem:
            return
        site = self.generation.site
        if str(site) not in sys.path:
            sys.path.append(str(site))
        if self.generation.folder not in _held:
            lock = os.open(self.generation.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            _held[self.generation.folder] = lock


def look(base: Path) -> Added:
    """What was added to the plugins of this release. Never raises for what it finds there."""
    try:
        generation = current(base)
    except Untrusted as why:
        return Added(problem=str(why), distributions=tuple(installed_in(base / CURRENT / SITE)))
    return Added() if generation is None else judge(generation)


def judge(generation: Generation) -> Added:
    """Which of a generation's distributions may be loaded, as far as that is told without reading all their files."""
    found = tuple(installed_in(generation.site))
    allowed = generation.allowed
    if allowed.python != this_python():
        text = f"it was installed for {allowed.python}, and this is {this_python()}; `sudo pimgr plugin rebuild`"
        return Added(generation, text, found)
    reasons = {plain(one.name): why for one in found if (why := _why_not(one, generation))}
    names = {plain(one.name) for one in found}
    for missing in (one for one in allowed.distributions if plain(one.name) not in names):
        reasons[plain(missing.name)] = "it is gone from its folder; `sudo pimgr plugin rebuild`"
    roots = {plain(root.name) for root in allowed.roots}
    for one in allowed.distributions:
        if plain(one.name) in reasons and plain(one.name) not in roots:  # what others stand on
            return Added(generation, f"{one.name}: {reasons[plain(one.name)]}", found)
    return Added(generation, "", found, reasons)


def _why_not(distribution: Distribution, generation: Generation) -> str:
    known = generation.allowed.distribution(distribution.name)
    if known is None:
        return "it is installed but not allowed: it didn't come by `pimgr plugin add`; add it that way"
    if record_digest(distribution) != known.record:
        return "it is not what was allowed when it was added; `sudo pimgr plugin rebuild`"
    return ""
