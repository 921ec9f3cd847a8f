"""A house's warmth: one lump with a time constant, and a heat pump that holds it between two set points.

Exact: what happens between two changes of the weather is an exponential, so no step is too long. Source of the model:
the usual one-resistance, one-capacity network, such as in ASHRAE Fundamentals, "Energy estimating and modeling".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from pimgr.api import Hold, Instant, ThermostatMode, ThermostatReading
from pimgr.policy.aspects import SetPoints, Wish
from pimgr.units import Celsius

HOUR_S = 3600.0
GAINS = 2.5
"""People and appliances make a house so much warmer than it would be, in K."""
TIME_CONSTANT_S = 14 * HOUR_S
PULL = 32.0
"""A heat pump that never stopped would bring the house so far from where it would be by itself, in K."""
COMFORT = 0.5
"""So far beyond a set point is no discomfort, in K."""
NEAR = 1e-6


class Work(StrEnum):
    """What the heat pump does: nothing, all it can towards a set point, or as much as holds it there."""

    OFF = "off"
    FULL = "full"
    HOLD = "hold"


@dataclass(kw_only=True)
class Room:
    """`cool`, `heat`: set points in force; `own_cool`, `own_heat`: those of the owner's schedule, in C."""

    name: str
    watts: float
    feeder: str
    own_cool: float
    own_heat: float
    indoor: float = 21.5
    cool: float = 0.0
    heat: float = 0.0
    until: float | None = None
    permanent: bool = False
    reachable: bool = True
    switchings: int = 0
    discomfort: float = 0.0
    """Kelvin-hours beyond the owner's own set points."""
    work: Work = Work.OFF
    goal: float = 0.0
    outdoor: float = 15.0
    powered: bool = True

    def __post_init__(self) -> None:
        self.resume()

    def resume(self) -> None:
        """Back to the owner's own schedule."""
        self.cool, self.heat, self.until, self.permanent = self.own_cool, self.own_heat, None, False

    @property
    def draws_w(self) -> float:
        """Mean power now, in W: while it holds, it runs for a part of the time."""
        if self.work is Work.FULL:
            return self.watts
        return self.watts * self._share() if self.work is Work.HOLD else 0.0

    def settle(self, outdoor: float, powered: bool) -> None:
        """The weather, the power or a set point changed: what the heat pump does from now on."""
        self.outdoor, self.powered, self.work = outdoor, powered, Work.OFF
        free = outdoor + GAINS
        if not powered:
            return
        if self.indoor >= self.cool - NEAR and free > self.cool:
            self.goal = self.cool
            self.work = Work.HOLD if self.indoor <= self.cool + NEAR and self._share() <= 1.0 else Work.FULL
        elif self.indoor > self.cool + NEAR:
            self.goal, self.work = self.cool, Work.FULL
        elif self.indoor <= self.heat + NEAR and free < self.heat:
            self.goal = self.heat
            self.work = Work.HOLD if self.indoor >= self.heat - NEAR and self._share() <= 1.0 else Work.FULL
        elif self.indoor < self.heat - NEAR:
            self.goal, self.work = self.heat, Work.FULL

    def _share(self) -> float:
        return abs(self.outdoor + GAINS - self.goal) / PULL

    def _target(self) -> float:
        """Where the temperature tends to."""
        free = self.outdoor + GAINS
        if self.work is Work.FULL:
            return free - PULL if self.indoor > self.goal else free + PULL
        return free

    def change_s(self) -> float:
        """Seconds until it does otherwise by itself."""
        if self.work is Work.HOLD:
            return math.inf
        target = self._target()
        edges = [self.goal] if self.work is Work.FULL else [self.cool, self.heat] if self.powered else []
        times = [self._reaches_s(edge, target) for edge in edges]
        return min(times, default=math.inf)

    def _reaches_s(self, edge: float, target: float) -> float:
        there, here = edge - target, self.indoor - target
        if abs(self.indoor - edge) <= NEAR or there * here <= 0.0 or abs(there) >= abs(here):
            return math.inf
        return TIME_CONSTANT_S * math.log(here / there)

    def flow(self, seconds: float) -> None:
        """So much time goes by, with nothing changing."""
        before = self.indoor
        if self.work is not Work.HOLD:
            target = self._target()
            self.indoor = target + (self.indoor - target) * math.exp(-seconds / TIME_CONSTANT_S)
            if self.work is Work.FULL and (before - self.goal) * (self.indoor - self.goal) <= 0.0:
                self.indoor = self.goal
        middle = (before + self.indoor) / 2.0
        beyond = max(0.0, middle - self.own_cool - COMFORT, self.own_heat - COMFORT - middle)
        self.discomfort += beyond * seconds / HOUR_S

    # ------------------------------------------------------------------------------------------------- over the air

    def reading(self, at: Instant) -> ThermostatReading:
        until = None if self.until is None else Instant(at.mono_s + self.until - at.wall, self.until, at.boot)
        hold = Hold(heat=Celsius(self.heat), cool=Celsius(self.cool), until=until, permanent=self.permanent)
        return ThermostatReading(
            at=at, source=self.name, indoor=Celsius(self.indoor), mode=ThermostatMode.AUTO, hold=hold
        )

    def obey(self, value: Wish) -> str:
        """A request; returns the error's class name, or ""."""
        assert isinstance(value, SetPoints), f"{self.name} was asked {value}"
        self.switchings += 1
        self.set(value)
        return ""

    def set(self, value: SetPoints) -> None:
        """Somebody sets it."""
        if value.scheduled:
            self.resume()
            return
        self.cool = self.cool if value.cool is None else float(value.cool)
        self.heat = self.heat if value.heat is None else float(value.heat)
        self.until, self.permanent = value.until, value.permanent

    def expire(self, wall: float) -> bool:
        """A hold ends by itself; tells whether one did."""
        if self.until is None or wall < self.until - NEAR:
            return False
        self.resume()
        return True
