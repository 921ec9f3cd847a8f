"""What stands in the simulated house: plugs and hosts with a truth of their own, seen through readings only."""

from __future__ import annotations

from dataclasses import dataclass, field

from pimgr.api import HostReading, Instant, LevelReading, LoadReading
from pimgr.policy.model import HostPower, Level, Switch, Value
from pimgr.units import Watts

FLOOR_A = 6.0
"""What an outage leaves to the charger."""
PIMGR, PERSON, NATURE = "pimgr", "person", "nature"


@dataclass(frozen=True)
class Change:
    """The truth about a part changed at `t` (s since the world began); `was`: whether it was on before."""

    t: float
    on: bool
    by: str
    was: bool
    level: float = 0.0


@dataclass(kw_only=True)
class Device:
    """`fate` of the next request: "" served, "request lost", "answer lost", "ignored" (says yes), "no word"."""

    name: str
    on: bool
    reachable: bool = True
    fate: str = ""
    gap_at: float = -1.0
    changes: list[Change] = field(default_factory=list)

    def become(self, t: float, on: bool, by: str) -> None:
        if on is not self.on:
            self.on = on
            self.changes.append(Change(t, on, by, not on))

    def was_on(self, t: float) -> bool:
        """The truth at `t`."""
        later = [c for c in self.changes if c.t > t]
        return later[0].was if later else self.on

    @property
    def last_by(self) -> str:
        return self.changes[-1].by if self.changes else NATURE


@dataclass(kw_only=True)
class Plug(Device):
    """A switched load; one with `watts` draws so much and measures it."""

    watts: float = 0.0

    @property
    def draws(self) -> float:
        return self.watts if self.on else 0.0

    def reading(self, at: Instant) -> LoadReading | None:
        power = Watts(self.draws) if self.watts else None
        return LoadReading(at=at, source=self.name, on=self.on, power_w=power) if self.reachable else None

    def obey(self, t: float, value: Value) -> str:
        """Serve a request; returns the error's class name, or ""."""
        if not self.reachable:
            return "Unreachable"
        assert isinstance(value, Switch), f"{self.name} was asked {value}"
        self.become(t, value.on, PIMGR)
        return ""


@dataclass(kw_only=True)
class Charger(Device):
    """A graded load. It is `on` while there is anything to take of it; a hand may set it to any level."""

    level: float = 16.0

    def set(self, t: float, level: float, by: str) -> None:
        if level != self.level:
            was, self.level, self.on = self.on, level, level > FLOOR_A + 0.5
            self.changes.append(Change(t, self.on, by, was, level))

    def reading(self, at: Instant) -> LevelReading | None:
        return LevelReading(at=at, source=self.name, level=self.level) if self.reachable else None

    def obey(self, t: float, value: Value) -> str:
        if not self.reachable:
            return "Unreachable"
        assert isinstance(value, Level), f"{self.name} was asked {value}"
        self.set(t, value.level, PIMGR)
        return ""


@dataclass(kw_only=True)
class Host(Device):
    """A machine: `on` means that it answers (where the network lets it). Going down and coming up take their time."""

    boot: int = 1
    shutdown_s: float = 20.0
    boot_s: float = 30.0
    down_at: float | None = None
    up_at: float | None = None
    cause: str = NATURE

    def reading(self, at: Instant) -> HostReading:
        if not (self.on and self.reachable):
            return HostReading(at=at, source=self.name, up=False)
        return HostReading(at=at, source=self.name, up=True, boot_id=self.boot_id)

    @property
    def boot_id(self) -> str:
        return f"{self.name}-{self.boot}"

    def obey(self, t: float, value: Value) -> str:
        assert isinstance(value, HostPower), f"{self.name} was asked {value}"
        if value.up:
            if self.reachable:
                self.start(t, PIMGR)
            return ""
        if not (self.on and self.reachable):
            return "Unreachable"
        if value.boot_id not in (None, self.boot_id):
            return "Refused"
        self.stop(t, PIMGR)
        return ""

    def stop(self, t: float, by: str) -> None:
        if self.on and self.down_at is None:
            self.down_at, self.cause = t + self.shutdown_s, by

    def start(self, t: float, by: str) -> None:
        """A request to start is lost on a machine that is still up."""
        if not self.on and self.up_at is None:
            self.up_at, self.cause = t + self.boot_s, by

    def live(self, t: float) -> None:
        """Let the time come that it was waiting for."""
        if self.down_at is not None and t >= self.down_at:
            self.become(self.down_at, False, self.cause)
            self.down_at = None
        if self.up_at is not None and t >= self.up_at:
            self.become(self.up_at, True, self.cause)
            self.boot += 1
            self.up_at = None
