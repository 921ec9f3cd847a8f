"""What is wrong with a config, said to a home owner: where, what was found, what was expected, and the cure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum

from pimgr.api import Frozen
from pimgr.policy.said import counted
from pimgr.text import safe

Key = tuple[str | int, ...]
"""Where in the file: ("tiers", 0, "below") is `below` of the first tier."""


CURE_INDENT = " " * 14
"""Begins the further lines of a cure."""


class Kind(StrEnum):
    """`plugin`: the text may be right, but a plugin that it names isn't there or doesn't work."""

    FILE = "file"
    SYNTAX = "syntax"
    UNKNOWN_KEY = "unknown key"
    MISSING = "missing"
    VALUE = "value"
    PART = "part"
    PLUGIN = "plugin"
    SECRET = "secret"  # noqa: S105


class ConfigError(Frozen, kw_only=True):
    """One thing that is wrong. `path`: the file; `line` from 1, None if not known; texts are already escaped."""

    path: str
    key: str
    line: int | None
    kind: Kind
    found: str
    expected: str
    cure: str = ""

    def __str__(self) -> str:
        where = ", ".join(bit for bit in (f"line {self.line}" if self.line else "", self.key) if bit)
        rows = [("found", self.found), ("expected", self.expected), ("cure", self.cure)]
        return "\n".join([where or self.path, *(f"    {name:<9} {text}" for name, text in rows if text)])


class ConfigErrors(Exception):
    """A config that can't be used, with everything that is wrong with it."""

    def __init__(self, path: str, errors: Iterable[ConfigError]) -> None:
        self.path = path
        self.errors = tuple(sorted(errors, key=lambda error: error.line or 0))
        super().__init__(path, self.errors)

    def __str__(self) -> str:
        return "\n\n".join([f"{safe(self.path)} has {counted(len(self.errors), 'error')}:", *map(str, self.errors)])


class Report:
    """Collects what is wrong with one file, at most one error a place: the first says why, the rest would repeat it."""

    def __init__(self, path: str, lines: Mapping[Key, int]) -> None:
        self.path = path
        self.lines = lines
        self.errors: dict[Key, ConfigError] = {}

    def add(self, key: Key, kind: Kind, *, expected: str, found: str = "", cure: str = "") -> None:
        """`found` and `cure` may hold words of the file, escaped by `shown` or `safe`."""
        error = ConfigError(
            path=self.path,
            key=spelled(key),
            line=self.line(key),
            kind=kind,
            found=found,
            expected=expected,
            cure=cure,
        )
        self.errors.setdefault(key, error)

    def line(self, key: Key) -> int | None:
        """The line of a key, or of the nearest table around it."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key)


def spelled(key: Key) -> str:
    """A key path as a person would write it; the second of several tables is `tiers #2`."""
    text = ""
    for bit in key:
        if isinstance(bit, int):
            text += f" #{bit + 1}"
        else:
            plain = bit.replace("-", "").replace("_", "").isalnum() and bit.isascii()
            text += ("." if text else "") + (bit if plain else f'"{safe(bit, 60)}"')
    return text


def shown(value: object) -> str:
    """A value of the file as it may have been written there, escaped and short."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = f'"{safe(value, 60)}"'
        case float() if not math.isfinite(value):
            text = str(value)
        case dict() if not value:
            text = "an empty table"
        case dict():
            text = "a table with " + ", ".join(str(key) for key in list(value)[:4])
        case list():
            text = "[" + ", ".join(shown(item) for item in value[:8]) + (", …]" if len(value) > 8 else "]")
        case _:
            text = str(value) if not isinstance(value, int) or abs(value) < 10**30 else "a very large number"
    return safe(text, 120)


def listed(words: Iterable[str], most: int = 12) -> str:
    """A few words in a row; what is left out is said."""
    every = list(words)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest
