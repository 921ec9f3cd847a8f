"""The parts that the config may name, and what each is good for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pimgr.api import Capability
from pimgr.config.errors import Key, Kind, Report, listed, shown
from pimgr.config.fields import Table
from pimgr.text import did_you_mean


@dataclass(frozen=True)
class Role:
    """What a part is named for: `word` with its article, and the capabilities of which it needs one."""

    word: str
    needs: frozenset[Capability]
    example: str = '["pool-pump", "strip/3"]'


SHEDDABLE = Role("a load or a host", frozenset({Capability.LOAD, Capability.GRADED_LOAD, Capability.HOST}))
KEPT = Role("a load", frozenset({Capability.LOAD, Capability.GRADED_LOAD}))
SOURCE = Role("a grid source", frozenset({Capability.GRID_SOURCE}), '["gateway"]')
METER = Role("a site meter", frozenset({Capability.SITE_METER}), '["gateway"]')
CONTROL = Role("a site control", frozenset({Capability.SITE_CONTROL}), '["cloud"]')
NOTIFIER = Role("something that sends messages", frozenset({Capability.NOTIFIER}), '["gmail"]')


class Parts:
    """Every part by its address. `broken`: connections with errors; naming their parts is no further error."""

    def __init__(self, report: Report, provides: Mapping[str, tuple[Capability, ...]], broken: set[str]) -> None:
        self.report, self.provides, self.broken = report, provides, broken

    def all(self, role: Role) -> tuple[str, ...]:
        """Every part that fits a role, in the order of the file."""
        return tuple(part for part, can in self.provides.items() if role.needs & set(can))

    def is_lost(self, name: str) -> bool:
        """Whether it belongs to a connection that couldn't be read."""
        return name.partition("/")[0] in self.broken

    def named(self, value: object, key: Key, role: Role) -> str | None:
        """The part that `value` names, if it fits the role; else None, and the reason is reported (or was already)."""
        if not isinstance(value, str):
            expected = f'the name of {role.word} in "quotes"'
            self.report.add(key, Kind.VALUE, found=shown(value), expected=expected)
            return None
        if self.is_lost(value):
            return None
        if value not in self.provides:
            self.report.add(key, Kind.PART, found=shown(value), expected=role.word, cure=self._cure(value, role))
            return None
        if not role.needs & set(self.provides[value]):
            found = f"{shown(value)}, which is a {' and '.join(self.provides[value])}"
            fitting = self.all(role)
            cure = f"{role.word} here: {listed(fitting)}" if fitting else f"no connection has {role.word}"
            self.report.add(key, Kind.PART, found=found, expected=role.word, cure=cure)
            return None
        return value

    def several(self, table: Table, name: str, role: Role) -> tuple[str, ...] | None:
        """The parts of a list, each once; None where there is no such key, or no list."""
        values = table.listing(name, f"a list of names such as {role.example}, each {role.word}")
        if values is None:
            return None
        found: list[str] = []
        for index, value in enumerate(values):
            key = table.path(name, index)
            part = self.named(value, key, role)
            if part in found:
                self.report.add(
                    key, Kind.PART, found=shown(value), expected="each part once", cure="remove one of the two"
                )
            elif part is not None:
                found.append(part)
        return tuple(found)

    def _cure(self, name: str, role: Role) -> str:
        connection = name.partition("/")[0]
        mine = [part for part in self.provides if part.partition("/")[0] == connection]
        if mine:
            return f"{connection} has the parts {listed(mine)}"
        fitting = self.all(role)
        near = did_you_mean(name, fitting) or did_you_mean(name, [*self.provides, *self.broken])
        if near:
            return near
        return f"there are {listed(fitting)}" if fitting else f"no connection has {role.word}"
