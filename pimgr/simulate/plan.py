"""What pimgr will do: the next day as it will happen, and what would happen if the grid failed now.

The real `decide` lives through both, from the house as it is (`pimgr.simulate.present`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pimgr.almanac import Almanac
from pimgr.api import Frozen, Now
from pimgr.config import HouseConfig
from pimgr.policy.aspects import Aspect
from pimgr.policy.calendar import Calendar
from pimgr.policy.terms import Policy
from pimgr.policy.values import word
from pimgr.simulate import home as homes
from pimgr.simulate.engine import Run
from pimgr.simulate.outages import Outage
from pimgr.simulate.present import LONGEST_S, Known, Present
from pimgr.simulate.ring import Box, Ring

HOUR_S = 3600.0
AHEAD_S = 24 * HOUR_S


class Line(Frozen):
    """Something that will happen: UTC in s, what, and why. `charge`: of the battery then, in the second part."""

    wall: float
    text: str
    why: str = ""
    charge: float | None = None


class Plan(Frozen, kw_only=True):
    """`lasts_s`: how long the protected loads would have power; None: longer than was looked. `assumed`: in words.

    `overload`: they lose it because the house draws more than the battery gives, not because that is empty.
    `forecast_age_s`: of the forecast that was used; None: none was.
    """

    at: float
    zone: str
    charge: float
    in_outage: bool
    day: tuple[Line, ...]
    outage: tuple[Line, ...]
    lasts_s: float | None
    overload: bool
    assumed: tuple[str, ...]
    forecast_age_s: float | None = None


def plan(house: HouseConfig, known: Known) -> Plan:
    """The plan of a house."""
    return _Planning(Present(house, known)).plan()


class _Planning:
    def __init__(self, present: Present) -> None:
        self.present, self.policy = present, present.policy
        self.almanac = Almanac()

    def plan(self) -> Plan:
        present, snapshot = self.present, self.present.known.snapshot
        in_outage = snapshot is not None and snapshot.phase in ("outage", "settling")
        day = () if in_outage else tuple(self._day(self._lived(AHEAD_S, False)[1]))
        run, _ = self._lived(LONGEST_S, True)
        first = next((row for row in run.trace.rows if row[5]), None)
        dark = None if first is None else first[0]
        return Plan(
            at=present.wall,
            zone=str(present.world.zone),
            charge=present.charge,
            in_outage=in_outage,
            day=day,
            outage=tuple(self._outage(run, dark)),
            lasts_s=None if dark is None else dark - present.t,
            overload=first is not None and first[1] > 1.0,
            assumed=tuple(present.assumed),
            forecast_age_s=present.forecast_age_s,
        )

    # ------------------------------------------------------------------------------------------------- lived through

    def _lived(self, span_s: float, outage: bool) -> tuple[Run, Ring]:
        present, now, state = self.present, self.present.known.now, self.present.known.state
        box = Box(name=now.boot, boot_t=present.t - now.mono_s)
        ring = Ring(policy=self.policy, box=box, state=state, durable=state, wake=present.t)
        outages = (Outage(start=present.t, end=present.t + 2 * LONGEST_S),) if outage else ()
        run = Run(present.plant(), ring, outages, self._calendar)
        run.until(present.t + span_s)
        return run, ring

    def _calendar(self, wall: float) -> Calendar | None:
        return self.almanac.around(self.policy, Now(0.0, wall, "plan", True))

    # ------------------------------------------------------------------------------------------------------------ told

    def _day(self, ring: Ring) -> list[Line]:
        """Windows of the tariff, what is asked of battery and thermostats, and what is mailed."""
        begin, wall = self.present.begin, self.present.wall
        lines = [Line(begin + t, text, why) for t, text, why in _asked(ring, self.policy)]
        calendar = self._calendar(wall)
        for window in calendar.windows if calendar else ():
            if wall < window.start <= wall + AHEAD_S:
                kind = " (peak)" if window.peak and window.period != "peak" else ""
                lines.append(Line(window.start, f"the tariff's period {window.period}{kind} begins"))
        lines += [Line(begin + t, f"mail: {subject}") for t, subject in ring.told_by_mail]
        return sorted(lines, key=lambda line: (line.wall, not line.text.startswith("the tariff")))

    def _outage(self, run: Run, dark: float | None) -> list[Line]:
        """What goes off and comes back, each time with the charge, until the battery is empty."""
        lines: list[Line] = []
        present, before = self.present, self.present.owed
        tier = homes.tier_of(self.policy)
        end = math.inf if dark is None else dark
        for t, shed in run.trace.shed:
            charge = next((row[1] for row in run.trace.rows if row[0] >= t), None)
            off = [part for part in present.on if part in shed - before]
            back = [part for part in present.on if part in before - shed]
            for parts, verb in ((off, "off"), (back, "on again")):
                if parts and t < end:
                    tiers = ", ".join(dict.fromkeys(tier[part] for part in parts if part in tier))
                    lines.append(Line(present.begin + t, f"{verb}: {self._names(parts)}", tiers, charge))
            before = shed
        return _gathered(lines)

    def _names(self, parts: Sequence[str]) -> str:
        return ", ".join(self.policy.parts[part].title or part for part in parts)


def _asked(ring: Ring, policy: Policy) -> list[tuple[float, str, str]]:
    """What is asked of the battery and the thermostats, once each."""
    found = []
    last: Mapping[tuple[str, Aspect], object] = {}
    for t, action, _ in ring.wire:
        key = (action.part, action.aspect)
        if last.get(key) == action.value:
            continue
        last = {**last, key: action.value}
        of = policy.parts.get(action.part)
        name = (of.title or action.part) if of is not None else "battery"
        found.append((t, f"{name}: {word(action.value)}", action.why))
    return found


def _gathered(lines: Sequence[Line]) -> list[Line]:
    """What goes off within a minute for the same reason, and in the same direction, is one line."""
    result: list[Line] = []
    for line in lines:
        last = result[-1] if result else None
        verb, _, names = line.text.partition(": ")
        if last and last.text.startswith(f"{verb}: ") and last.why == line.why and line.wall - last.wall < 120.0:
            result[-1] = Line(last.wall, f"{last.text}, {names}", last.why, last.charge)
        else:
            result.append(line)
    return result
