"""`[[tiers]]`: which loads go off together, when, and when they come back while the outage lasts."""

from __future__ import annotations

from pimgr.api import replace
from pimgr.config.errors import Kind, shown
from pimgr.config.fields import FLAG, PERCENT, TEXT, Bad, Field, Table, duration
from pimgr.config.parts import SHEDDABLE, Parts
from pimgr.policy.model import Goal, Tier
from pimgr.policy.shedding.tiers import RESTORE_RUNTIME
from pimgr.units import Percent

HYSTERESIS = 5.0
"""Points of charge between going off and coming back, at least: the figure wanders by one or two under load."""
RUNTIME_HYSTERESIS = 1.25
"""And times as many hours: what the house draws wanders by more."""
CONDITIONS = ("after", "below", "below_runtime")
MOST_LEFT = 80.0
LONGEST_S = 72 * 3600.0
_AFTER = duration(1.0, LONGEST_S, "10min")
_RUNTIME = duration(60.0, LONGEST_S, "4h")
_LASTING = duration(600.0, LONGEST_S, "8h")


def _goal(value: object) -> Goal:
    if value == "sunrise":
        return Goal(sunrise=True)
    try:
        return Goal(for_s=_LASTING.read(value))
    except Bad as error:
        raise Bad(error.cure or "from 10 min to 72 h") from None


GOAL = Field('how long the battery shall last: "sunrise", or a duration such as "8h"', _goal)


class Tiers:
    """Reads the tiers."""

    def __init__(self, top: Table, parts: Parts, never_shed: tuple[str, ...]) -> None:
        self.top, self.parts, self.never_shed, self.report = top, parts, never_shed, parts.report
        self.found: list[Tier] = []
        self._tier_of: dict[str, str] = {}

    def read(self) -> tuple[Tier, ...]:
        for table in self.top.tables("tiers"):
            self._tier(table)
        return tuple(self.found)

    def _tier(self, table: Table) -> None:
        name = table.need("name", TEXT, "")
        if name and name in [tier.name for tier in self.found]:
            table.wrong("name", expected="a name for each tier of its own", cure="rename one of the two")
        loads = self._loads(table, name)
        below, restore_above = self._charge(table)
        below_runtime, restore_runtime = self._runtime(table)
        after, keep = table.get("after", _AFTER, None), self._keep(table)
        self._only_what_fits(table)
        table.close()
        if loads:
            self.found.append(
                Tier(
                    name=name,
                    loads=loads,
                    below=below,
                    restore_above=restore_above,
                    after_s=after,
                    below_runtime_s=below_runtime,
                    restore_runtime_s=restore_runtime,
                    keep=keep,
                )
            )

    @staticmethod
    def _keep(table: Table) -> Goal | None:
        goal = table.get("keep", GOAL, None)
        left = table.get("left", PERCENT, Goal().left)
        if "left" in table and "keep" not in table:
            table.wrong("left", expected="keep beside it", cure="add it, or remove left")
        elif left > MOST_LEFT:
            table.wrong("left", expected=f"at most {MOST_LEFT:g}: the rest is what the night is lived on")
        return None if goal is None else replace(goal, left=Percent(left))

    def _loads(self, table: Table, name: str) -> tuple[str, ...]:
        loads = self.parts.several(table, "loads", SHEDDABLE) or ()
        if not table.raw.get("loads"):
            self.report.add(table.path("loads"), Kind.MISSING, found="none", expected="at least one load or host")
        named = table.raw.get("loads")
        for index, value in enumerate(named if isinstance(named, list) else []):
            if not isinstance(value, str) or value not in loads:
                continue
            key = table.path("loads", index)
            if value in self.never_shed:
                cure = "remove it from this tier, or from never_shed under [protect]"
                self.report.add(key, Kind.PART, found=shown(value), expected="a part that isn't protected", cure=cure)
            other = self._tier_of.setdefault(value, name)
            if other != name:
                found = f"{shown(value)}, which is in the tier {shown(other)} too"
                self.report.add(
                    key, Kind.PART, found=found, expected="each part in one tier", cure="remove one of the two"
                )
        return loads

    def _only_what_fits(self, table: Table) -> None:
        """A tier needs a time, and one that goes off at once, or as needed, knows itself when."""
        at_once, chooses = table.get("at_once", FLAG, False), "keep" in table
        when = [key for key in CONDITIONS if key in table]
        for key in [*when, *(["keep"] if chooses else [])] if at_once else []:
            table.wrong(key, expected="nothing: this tier goes off at once", cure=f"remove {key}, or at_once")
        for key in [key for key in ("restore_above", "restore_runtime") if key in table] if chooses else []:
            expected = "nothing: with keep, its loads come back as soon as the battery lasts with them on"
            table.wrong(key, expected=expected, cure=f"remove {key}")
        if not (at_once or when or chooses):
            expected = 'when it goes off: at_once = true, after = "10min", below = 50 (percent), below_runtime or keep'
            self.report.add(table.key, Kind.MISSING, found="a tier without a time", expected=expected)

    def _charge(self, table: Table) -> tuple[Percent | None, Percent | None]:
        """When the tier goes off by charge, and the charge at which it comes back."""
        below = table.get("below", PERCENT, None)
        above = table.get("restore_above", PERCENT, None)
        if below is None:
            return None, None if above is None else Percent(above)
        if "restore_above" not in table and "keep" not in table:
            above = min(100.0, below + 10.0)
        if above is not None and above - below < HYSTERESIS:
            self._too_near(table, below)
        return Percent(below), None if above is None else Percent(above)

    @staticmethod
    def _too_near(table: Table, below: float) -> None:
        why = "else its loads would go on and off with every cloud"
        if below + HYSTERESIS > 100.0:
            table.wrong(
                "below", expected=f"at most {100 - HYSTERESIS:g}, so that it can come back {HYSTERESIS:g} above it"
            )
            return
        expected = f"at least {below + HYSTERESIS:g}, which is below + {HYSTERESIS:g}"
        table.wrong("restore_above", expected=expected, cure=f"{why}; the default is below + 10")

    @staticmethod
    def _runtime(table: Table) -> tuple[float | None, float | None]:
        """When the tier goes off by the hours that are left, and when it comes back."""
        below = table.get("below_runtime", _RUNTIME, None)
        above = table.get("restore_runtime", _RUNTIME, None)
        if below is None:
            if "restore_runtime" in table and "below_runtime" not in table:
                table.wrong("restore_runtime", expected="below_runtime beside it", cure="add it, or remove this one")
            return None, None
        if above is not None and above < RUNTIME_HYSTERESIS * below:
            expected = f"at least {RUNTIME_HYSTERESIS:g} times below_runtime"
            cure = f"else its loads would go on and off all the time; the default is {RESTORE_RUNTIME:g} times as long"
            table.wrong("restore_runtime", expected=expected, cure=cure)
        return below, above
