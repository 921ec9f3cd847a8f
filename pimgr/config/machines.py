"""`after`, `deadline`, `outlet` and `cut_after` of `[loads.NAME]`: the order of machines, and what feeds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pimgr.api import Capability, replace
from pimgr.config.errors import Key, Kind, shown
from pimgr.config.fields import TEXT, Table, duration
from pimgr.config.parts import SHEDDABLE, Parts, Role
from pimgr.policy.model import Level, PartPolicy, StandingTarget, Switch, Tier
from pimgr.text import safe

OUTLET = Role("a load that is switched on and off", frozenset({Capability.LOAD}), '"strip/3"')
_DEADLINE = duration(10.0, 3600.0, "5min")
_CUT_AFTER = duration(0.0, 3600.0, "30s")
_USUAL_DEADLINE_S, _USUAL_CUT_AFTER_S = 300.0, 30.0


@dataclass(frozen=True)
class Machine:
    """What the file says of one part."""

    key: Key
    after: tuple[str, ...]
    outlet: str | None
    cut_after_s: float
    deadline_s: float


class Machines:
    """Reads what belongs to the order, part by part, and judges it as a whole."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.report = parts, parts.report
        self.found: dict[str, Machine] = {}

    def read(self, part: str | None, table: Table) -> None:
        after = self.parts.several(table, "after", SHEDDABLE) or ()
        deadline_s = table.get("deadline", _DEADLINE, _USUAL_DEADLINE_S)
        cut_after_s = table.get("cut_after", _CUT_AFTER, _USUAL_CUT_AFTER_S)
        outlet = self._outlet(part, table)
        if "cut_after" in table and "outlet" not in table:
            table.wrong("cut_after", expected="nothing: no outlet is named that feeds it", cure="remove cut_after")
        if part in after:
            cure = "remove it from this list"
            table.wrong("after", expected="other parts than itself", cure=cure, kind=Kind.PART)
            after = tuple(earlier for earlier in after if earlier != part)
        if part:
            self.found[part] = Machine(table.key, after, outlet, cut_after_s, deadline_s)

    def _outlet(self, part: str | None, table: Table) -> str | None:
        text = table.get("outlet", TEXT, None)
        if text is None:
            return None
        if part and Capability.HOST not in self.parts.provides.get(part, ()):
            expected = "a host: anything else is switched itself"
            table.wrong("outlet", expected=expected, cure="remove outlet")
            return None
        return self.parts.named(text, table.path("outlet"), OUTLET)

    def onto(self, part: str, policy: PartPolicy) -> PartPolicy:
        """The part's policy with what was read."""
        one = self.found.get(part)
        if one is None:
            return policy
        return replace(
            policy, after=one.after, outlet=one.outlet, cut_after_s=one.cut_after_s, deadline_s=one.deadline_s
        )

    def judge(self, tiers: Iterable[Tier], never_shed: Iterable[str], keeps: Iterable[StandingTarget]) -> None:
        """Report what makes no sense together."""
        tier_of = {load: tier.name for tier in tiers for load in tier.loads}
        kept_off = {keep.part for keep in keeps if keep.value in (Switch(False), Level(0.0))}
        feeds: dict[str, str] = {}
        for name, one in self.found.items():
            if one.outlet is None:
                continue
            other = feeds.setdefault(one.outlet, name)
            if other != name:
                self._wrong(one, f"{shown(one.outlet)}, which feeds {safe(other, 60)} too", "an outlet for one host")
            if one.outlet in tier_of:
                found = f"{shown(one.outlet)}, which is in the tier {shown(tier_of[one.outlet])}"
                expected = f"an outlet in no tier: it is cut once {safe(name, 60)} is off"
                self._wrong(one, found, expected, "remove it from that tier")
            if one.outlet in never_shed:
                cure = "remove this line, or take it out of never_shed under [protect]"
                self._wrong(one, shown(one.outlet), "an outlet that isn't protected", cure)
            if one.outlet in kept_off:
                found = f"{shown(one.outlet)}, which a [[keep]] turns off"
                self._wrong(one, found, f"an outlet that stays on while {safe(name, 60)} runs", "remove that [[keep]]")
        self._outlets_in_order(feeds)
        self._circles()

    def _wrong(self, one: Machine, found: str, expected: str, cure: str = "name another outlet") -> None:
        self.report.add((*one.key, "outlet"), Kind.PART, found=found, expected=expected, cure=cure)

    def _outlets_in_order(self, feeds: dict[str, str]) -> None:
        """An outlet has its host's place in the order."""
        for name, one in self.found.items():
            if name in feeds and one.after:
                cure = f"write it under [loads.{safe(feeds[name], 60)}]"
                found = f"{shown(name)}, which feeds {safe(feeds[name], 60)}"
                self.report.add((*one.key, "after"), Kind.PART, found=found, expected="no outlet of a host", cure=cure)
            for index, earlier in enumerate(one.after):
                if earlier in feeds:
                    cure = f"name {safe(feeds[earlier], 60)}, which it feeds"
                    key = (*one.key, "after", index)
                    self.report.add(key, Kind.PART, found=shown(earlier), expected="no outlet of a host", cure=cure)

    def _circles(self) -> None:
        """Told at the first of its parts in the file; of circles that share a part, one: mending it may mend all."""
        told: set[str] = set()
        for name, one in self.found.items():
            circle = self._circle(name)
            if circle and told.isdisjoint(circle):
                told.update(circle)
                found = " after ".join(safe(part, 60) for part in circle)
                expected = "an order with an end: here each waits for the other"
                key = (*one.key, "after")
                self.report.add(key, Kind.PART, found=found, expected=expected, cure="remove one of these")

    def _circle(self, start: str) -> list[str]:
        """The way from a part back to itself, such as nas, pc1, nas; empty if there is none."""
        came_from: dict[str, str] = {}
        ahead = [start]
        while ahead:
            part = ahead.pop()
            for earlier in self.found[part].after if part in self.found else ():
                if earlier == start:
                    way = [part]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    return [*reversed(way), start]
                if earlier not in came_from:
                    came_from[earlier] = part
                    ahead.append(earlier)
        return []
