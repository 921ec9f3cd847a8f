"""What stands in the simulated house: each thing with its truth, seen through readings and moved by requests only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from pimgr.api import HostReading, Instant, LevelReading, LoadReading
from pimgr.policy.aspects import HostPower, Level, Switch, Wish
from pimgr.policy.model import PartReading
from pimgr.units import Watts

OURS, PERSON, NATURE = "pimgr", "person", "nature"
LEVEL_STEP = 0.5


@dataclass(kw_only=True)
class Device(ABC):
    """`duty`: the share of its power by hour of the simulation; `reachable`: over the network, if it has power at all.

    `owed`: a policy turned it off, and since then nobody was seen to turn it on, nor did pimgr let go of it while
    it was on; `switchings`: how often a policy moved it; `wrong`: how often it turned on what it did not owe.
    """

    name: str
    watts: float
    duty: Sequence[float]
    on: bool = True
    reachable: bool = True
    owed: bool = False
    last_by: str = NATURE
    switchings: int = 0
    wrong: int = 0
    unseen: bool = False
    """Somebody else turned it on, and it was not read since: nobody can know."""
    asked: bool = False
    """A policy wants it off, and asked, though nothing came of it: whoever turns it off now can't be told from that."""
    gap: bool = False
    """Since a policy moved it, it could not be read for a while: then it may as well have restarted, and come on."""

    @abstractmethod
    def reading(self, at: Instant, power_w: float | None) -> PartReading:
        """What it tells of itself. `power_w`: what its meter shows, if it has one."""

    @abstractmethod
    def obey(self, t: float, value: Wish) -> str:
        """A request; returns the error's class name, or ""."""

    def draws_w(self, hour: int) -> float:
        """With power, in W."""
        return self.watts * self.duty[hour] if self.on else 0.0

    def move(self, on: bool, by: str) -> None:
        """It becomes so; counts what a policy did."""
        if on is self.on:
            return
        self.on, self.last_by = on, by
        if by == OURS:
            self.switchings += 1
            self.wrong += on and not self.owed
            self.owed, self.unseen, self.gap = not on, False, False
        else:
            self.unseen = on
            self.owed |= self.asked and not on

    def read(self) -> None:
        """It is read now: whoever turned it on was seen, unless it may have come on by itself meanwhile."""
        if self.unseen:
            self.owed, self.unseen = self.owed and self.gap, False

    def miss(self) -> None:
        """It could not be read."""
        self.gap = True


@dataclass(kw_only=True)
class Plug(Device):
    """A switched load."""

    def reading(self, at: Instant, power_w: float | None) -> LoadReading:
        return LoadReading(at=at, source=self.name, on=self.on, power_w=None if power_w is None else Watts(power_w))

    def obey(self, t: float, value: Wish) -> str:
        assert isinstance(value, Switch), f"{self.name} was asked {value}"
        self.move(value.on, OURS)
        return ""


@dataclass(kw_only=True)
class Charger(Device):
    """A graded load: `on` while it is at the level that its owner set."""

    level: float
    volts: float
    usual: float = field(init=False)

    def __post_init__(self) -> None:
        self.usual = self.level

    def draws_w(self, hour: int) -> float:
        return self.level * self.volts * self.duty[hour]

    def reading(self, at: Instant, power_w: float | None) -> LevelReading:
        return LevelReading(
            at=at, source=self.name, level=self.level, power_w=None if power_w is None else Watts(power_w)
        )

    def obey(self, t: float, value: Wish) -> str:
        assert isinstance(value, Level), f"{self.name} was asked {value}"
        self.set(value.level, OURS)
        return ""

    def set(self, level: float, by: str) -> None:
        """A level that is lower than its owner's is off, as far as debts go."""
        self.level = level
        self.move(level >= self.usual - LEVEL_STEP, by)


@dataclass(kw_only=True)
class Host(Device):
    """A machine: `on` is that it was last told to run; `up` that it answers. Both ways take their time."""

    shutdown_s: float
    boot_s: float
    up: bool = True
    boot: int = 1
    due: float | None = None
    """When it will be up or down, as `on` says."""

    @property
    def boot_id(self) -> str:
        return f"{self.name}-{self.boot}"

    def draws_w(self, hour: int) -> float:
        return self.watts if self.up or self.due is not None else 0.0

    def reading(self, at: Instant, power_w: float | None) -> HostReading:
        return HostReading(at=at, source=self.name, up=self.up, boot_id=self.boot_id if self.up else None)

    def obey(self, t: float, value: Wish) -> str:
        assert isinstance(value, HostPower), f"{self.name} was asked {value}"
        if value.up:
            self.start(t, OURS)
            return ""
        if not self.up:
            return "Unreachable"
        if value.boot_id not in (None, self.boot_id):
            return "Refused"
        self.stop(t, OURS)
        return ""

    def stop(self, t: float, by: str) -> None:
        if self.on:
            self.move(False, by)
            self.due = t + self.shutdown_s

    def start(self, t: float, by: str) -> None:
        """A request to start is lost on a machine that is still up, or starting."""
        if not self.up and self.due is None:
            self.move(True, by)
            self.due = t + self.boot_s

    def live(self, t: float) -> bool:
        """Let the time come that it was waiting for; tells whether it did."""
        if self.due is None or t < self.due:
            return False
        self.due = None
        self.boot += self.on
        self.up = self.on
        return True

    def lose_power(self) -> None:
        """It falls over; told to run, it starts again when there is power."""
        self.up, self.due = False, None

    def get_power(self, t: float) -> None:
        if self.on:
            self.due = t + self.boot_s


def gives(value: Wish) -> bool:
    """Whether a wish gives rather than takes. A level that is lowered isn't told from one that is given back."""
    match value:
        case Switch(on=on):
            return on
        case HostPower(up=up):
            return up
        case _:
            return False
