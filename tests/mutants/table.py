"""What is declared of each site: how it is removed, and which tests must notice."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.mutants.sites import Site

NAME = "table.toml"


@dataclass(frozen=True)
class Declared:
    """`behind`: the site is a second line, whose tests need it only once these have given way: they are removed too.

    `slow`: its tests take so long that only a nightly run removes it.
    """

    id: str
    removal: str
    tests: tuple[str, ...]
    behind: tuple[str, ...] = ()
    slow: bool = False


def read(path: Path) -> dict[str, Declared]:
    """The table. Raises ValueError for an entry that says too little or too much."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    return {id: _declared(id, entry) for id, entry in raw.items()}


def _declared(id: str, entry: dict[str, object]) -> Declared:
    """Built from an entry. Raises ValueError."""
    made = msgspec.convert({**entry, "id": id}, Declared)
    if not made.tests:
        raise ValueError(f"{id}: name at least one test")
    if unknown := entry.keys() - set(Declared.__dataclass_fields__):
        raise ValueError(f"{id}: unknown {', '.join(sorted(unknown))}")
    return made


def differences(found: Iterable[Site], declared: Iterable[str]) -> list[str]:
    """In words: sites that nobody declared, and declared ones that are gone."""
    sites, known = {site.id: site for site in found}, set(declared)
    new = [
        f'not in the table: {s.file}:{s.line}: {s.text}\n    ["{id}"]\n    removal = "{s.usual}"\n    tests = []'
        for id, s in sites.items()
        if id not in known
    ]
    return new + [f"in the table, but not in the code: {id}" for id in sorted(known - sites.keys())]
