"""What the config says of loads: tiers, protection, standing targets, and what is particular to one of them."""

from __future__ import annotations

from dataclasses import dataclass

from pimgr.api import Capability
from pimgr.config.errors import Kind
from pimgr.config.fields import FLAG, LEVEL, TEXT, WATTS, Table, duration
from pimgr.config.machines import Machines
from pimgr.config.parts import KEPT, SHEDDABLE, Parts
from pimgr.config.tiers import Tiers
from pimgr.policy.model import Level, StandingTarget, Switch, Tier, Value
from pimgr.text import safe
from pimgr.units import Watts


@dataclass(frozen=True)
class LoadExtra:
    """`[loads.NAME]`: whether a load is held against a hand, who witnesses a host, the level that is left to a load.

    `watts`: what it draws where nothing measures it; `min_off_s`: how long it stays off at least.
    """

    enforce: bool = False
    witness: str | None = None
    shed_to: float = 0.0
    watts: Watts | None = None
    min_off_s: float = 0.0


class Shedding:
    """Reads the tables about loads."""

    def __init__(self, top: Table, parts: Parts) -> None:
        self.top, self.parts, self.report = top, parts, parts.report
        self.tiers: tuple[Tier, ...] = ()
        self.never_shed: tuple[str, ...] = ()
        self.keeps: list[StandingTarget] = []
        self.loads: dict[str, LoadExtra] = {}
        self.titles: dict[str, str] = {}
        self.machines = Machines(parts)

    def read(self) -> None:
        protect = self.top.table("protect")
        self.never_shed = self.parts.several(protect, "never_shed", SHEDDABLE) or ()
        protect.close()
        self.tiers = Tiers(self.top, self.parts, self.never_shed).read()
        for name, table in self.top.each("loads"):
            self._load(name, table)
        for table in self.top.tables("keep"):
            self._keep(table)
        self.machines.judge(self.tiers, self.never_shed, self.keeps)

    def _load(self, name: str, table: Table) -> None:
        title = table.get("title", TEXT, "")
        enforce = table.get("enforce", FLAG, False)
        part = self.parts.named(name, table.key, SHEDDABLE)
        can = self.parts.provides.get(part, ()) if part else ()
        if enforce and part and Capability.HOST in can:
            table.wrong("enforce", expected="a load: a host is never forced down", cure="remove enforce")
        shed_to = table.get("shed_to", LEVEL, 0.0)
        if "shed_to" in table and part and Capability.GRADED_LOAD not in can:
            expected = "a graded load, such as a car's charger: anything else is just turned off"
            table.wrong("shed_to", expected=expected, cure="remove shed_to")
        watts = table.get("watts", WATTS, None)
        min_off_s = table.get("min_off", duration(0.0, 3600.0, "5min"), 0.0)
        if "min_off" in table and part and Capability.LOAD not in can:
            table.wrong("min_off", expected="a load that is switched on and off", cure="remove min_off")
        witness = self._witness(table, part)
        self.machines.read(part, table)
        table.close()
        if part:
            watts = None if watts is None else Watts(watts)
            self.loads[part] = LoadExtra(enforce, witness, shed_to, watts, min_off_s)
            if title:
                self.titles[part] = title

    def _witness(self, table: Table, part: str | None) -> str | None:
        text = table.get("witness", TEXT, None)
        if text is None:
            return None
        witness = self.parts.named(text, table.path("witness"), SHEDDABLE)
        if part and Capability.HOST not in self.parts.provides.get(part, ()):
            table.wrong("witness", expected="a host: only a host falls silent when it is off", cure="remove witness")
        elif witness is not None and witness == part:
            table.wrong("witness", expected="another part on the same network path")
        elif witness is not None and part is not None and self._goes_off_before(witness, part):
            expected = f"a part that still answers when {safe(part, 60)} goes off"
            cure = "name another one, or move it to a later tier or to never_shed under [protect]"
            table.wrong("witness", expected=expected, cure=cure, kind=Kind.PART)
        return witness

    def _goes_off_before(self, witness: str, host: str) -> bool:
        """Whether a tier takes the witness no later than the host: nobody would be left to tell off from cut off."""
        places = {load: place for place, tier in enumerate(self.tiers) for load in tier.loads}
        if witness in self.never_shed:
            return False
        return witness in places and host in places and places[witness] <= places[host]

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
