"""What the config says of loads: tiers, protection, standing targets, and what is particular to one of them."""

from __future__ import annotations

from dataclasses import dataclass

from pimgr.api import Capability
from pimgr.config.errors import Kind, shown
from pimgr.config.fields import FLAG, LEVEL, PERCENT, TEXT, Table
from pimgr.config.parts import KEPT, SHEDDABLE, Parts
from pimgr.policy.model import Level, StandingTarget, Switch, Tier, Value
from pimgr.units import Percent

HYSTERESIS = 5.0
"""Points of charge between going off and coming back, at least: the figure wanders by one or two under load."""


@dataclass(frozen=True)
class LoadExtra:
    """`[loads.NAME]`: whether a load is held against a hand, who witnesses a host, the level that is left to a load."""

    enforce: bool = False
    witness: str | None = None
    shed_to: float = 0.0


class Shedding:
    """Reads the tables about loads."""

    def __init__(self, top: Table, parts: Parts) -> None:
        self.top, self.parts, self.report = top, parts, parts.report
        self.tiers: list[Tier] = []
        self.never_shed: tuple[str, ...] = ()
        self.keeps: list[StandingTarget] = []
        self.loads: dict[str, LoadExtra] = {}
        self.titles: dict[str, str] = {}
        self._tier_of: dict[str, str] = {}

    def read(self) -> None:
        protect = self.top.table("protect")
        self.never_shed = self.parts.several(protect, "never_shed", SHEDDABLE) or ()
        protect.close()
        for table in self.top.tables("tiers"):
            self._tier(table)
        for name, table in self.top.each("loads"):
            self._load(name, table)
        for table in self.top.tables("keep"):
            self._keep(table)

    def _tier(self, table: Table) -> None:
        name = table.need("name", TEXT, "")
        if name and name in [tier.name for tier in self.tiers]:
            table.wrong("name", expected="a name for each tier of its own", cure="rename one of the two")
        loads = self._tier_loads(table, name)
        below, restore_above = self._when(table)
        table.close()
        if loads:
            self.tiers.append(Tier(name=name, loads=loads, below=below, restore_above=restore_above))

    def _tier_loads(self, table: Table, name: str) -> tuple[str, ...]:
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

    def _when(self, table: Table) -> tuple[Percent | None, Percent | None]:
        """When the tier goes off and comes back; None, None: at once, as long as the outage lasts."""
        at_once = table.get("at_once", FLAG, False)
        below = table.get("below", PERCENT, None)
        restore_above = table.get("restore_above", PERCENT, None)
        if at_once and ("below" in table or "restore_above" in table):
            key = "below" if "below" in table else "restore_above"
            table.wrong(key, expected="nothing: this tier goes off at once", cure=f"remove {key}, or at_once")
            return None, None
        if not at_once and "below" not in table:
            expected = "when it goes off: at_once = true, or below = 50 (percent)"
            self.report.add(table.key, Kind.MISSING, found="a tier without a time", expected=expected)
        if at_once or below is None:
            return None, None
        if "restore_above" not in table:
            restore_above = min(100.0, below + 10.0)
        if restore_above is not None and restore_above - below < HYSTERESIS:
            self._too_near(table, below)
        return Percent(below), None if restore_above is None else Percent(restore_above)

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

    def _load(self, name: str, table: Table) -> None:
        title = table.get("title", TEXT, "")
        enforce = table.get("enforce", FLAG, False)
        witness = None
        part = self.parts.named(name, table.key, SHEDDABLE)
        can = self.parts.provides.get(part, ()) if part else ()
        if enforce and part and Capability.HOST in can:
            table.wrong("enforce", expected="a load: a host is never forced down", cure="remove enforce")
        shed_to = table.get("shed_to", LEVEL, 0.0)
        if "shed_to" in table and part and Capability.GRADED_LOAD not in can:
            expected = "a graded load, such as a car's charger: anything else is just turned off"
            table.wrong("shed_to", expected=expected, cure="remove shed_to")
        text = table.get("witness", TEXT, None)
        if text is not None:
            witness = self.parts.named(text, table.path("witness"), SHEDDABLE)
            if part and Capability.HOST not in can:
                table.wrong(
                    "witness", expected="a host: only a host falls silent when it is off", cure="remove witness"
                )
            elif witness is not None and witness == part:
                table.wrong("witness", expected="another part on the same network path")
        table.close()
        if part:
            self.loads[part] = LoadExtra(enforce, witness, shed_to)
            if title:
                self.titles[part] = title

    def _keep(self, table: Table) -> None:
        name = table.need("part", TEXT, None)
        part = None if name is None else self.parts.named(name, table.path("part"), KEPT)
        value = self._kept_at(table, graded=self._is_graded(part) or (part is None and "level" in table))
        table.close()
        if part is None or value is None:
            return
        if any(keep.part == part for keep in self.keeps):
            table.wrong("part", expected="each part in one [[keep]]", cure="remove one of the two", kind=Kind.PART)
        elif part in self.never_shed and value in (Switch(False), Level(0.0)):
            cure = "remove it here, or from never_shed under [protect]"
            key = "on" if isinstance(value, Switch) else "level"
            expected = "on = true: this part is protected" if key == "on" else "more than 0: this part is protected"
            table.wrong(key, expected=expected, cure=cure, kind=Kind.PART)
        else:
            self.keeps.append(StandingTarget(part, value))

    def _is_graded(self, part: str | None) -> bool:
        return part is not None and Capability.GRADED_LOAD in self.parts.provides[part]

    @staticmethod
    def _kept_at(table: Table, *, graded: bool) -> Value | None:
        """How a part is kept: on or off, or at a level where it has levels."""
        if graded:
            level = table.need("level", LEVEL, None)
            return None if level is None else Level(level)
        on = table.need("on", FLAG, None)
        return None if on is None else Switch(on)
