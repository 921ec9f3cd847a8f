"""A desk with a battery whose cloud does as it is told or not; with a tariff it lives by the clock of its house."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pimgr.almanac import Almanac
from pimgr.api import ForecastHour, ForecastReading, GridReading, Severity, SiteMode, SiteReading, replace
from pimgr.policy.aspects import GridCharging, Mode, Reserve, Setting
from pimgr.policy.battery.rates import Hours, Period, Tariff
from pimgr.policy.battery.settings import SitePolicy, Stage
from pimgr.policy.calendar import Place
from pimgr.policy.model import Action, Decision, Inputs
from pimgr.policy.values import word
from pimgr.units import Celsius, Percent
from tests.policy.desk import GRIDS, Desk, house
from tests.policy.world import EPOCH

CLOUD, LOCAL = "tesla", "inverter"
ZONE = "America/New_York"
PLACE = Place(zone=ZONE)
WEEK = (0, 1, 2, 3, 4)


class Site(Desk):
    """A battery at 80 % with a reserve of 20 %, read every 10 s, whose cloud does as it is told unless a test says
    otherwise."""

    def __init__(self, *keep: Setting, controls: tuple[str, ...] = (CLOUD,)) -> None:
        super().__init__(house(site=SitePolicy(controls=controls, keep=keep)))
        self.facts: dict[str, Any] = {
            "reserve": 20.0, "mode": SiteMode.SELF_CONSUMPTION, "grid_charging": True, "charge": 80.0, "battery_w": 0.0,
        }  # fmt: skip
        self.obeys = {CLOUD: True, LOCAL: True}
        self.error: dict[str, str] = {}
        self.tells = True
        self.paper: dict[str, Any] = {}
        self.asked: list[tuple[float, str, Setting]] = []
        self.outcomes: list[Any] = []
        self.mailed: list[tuple[Severity, str, str]] = []
        self.grid = "up"
        self.looks: list[float] = []
        self.dated_back_s = 0.0

    def live(self, seconds: float, step: float = 10.0) -> Site:
        """Let time pass; each request is answered, and done, before the next reading."""
        end = self.t + seconds
        while self.t < end:
            self.t += step
            reading = SiteReading(
                at=self.instant(self.t - self.dated_back_s), source=CLOUD, **{**self.facts, **self.paper}
            )
            self.site = reading if self.tells else None
            inputs = Inputs(
                grid=self._grid(),
                site=self.site,
                settings=(reading,) if self.tells else (),
                parts=self.views,
                outcomes=tuple(self.outcomes),
            )
            self.outcomes = []
            self.decision = self.decide(inputs)
            self.mailed += [(n.severity, n.subject, n.text) for n in self.decision.notices]
            self.looks += [self.t] if CLOUD in self.decision.look else []
            for action in self.decision.actions:
                self._do(action)
        return self

    def _grid(self) -> Any:
        return (GridReading(at=self.instant(), source="gateway", grid=GRIDS[self.grid]),)

    def _do(self, action: Action) -> None:
        assert isinstance(action.value, Reserve | Mode | GridCharging)
        self.asked.append((self.t, action.part, action.value))
        error = self.error.get(action.part, "")
        self.outcomes.append(self.answers(action, error))
        if self.obeys[action.part] and not error:
            self.facts |= field_of(action.value)

    def wishes(self) -> list[str]:
        return [word(value) for _, _, value in self.asked]

    def stage(self, index: int = 0) -> Stage:
        return self.state.site.pursuits[index].stage

    @property
    def why(self) -> str:
        return next((f"{r.status}: {r.why} {r.returns}" for r in self.decision.reasons if r.part == "site"), "")

    def alarms(self) -> list[str]:
        return [
            subject for severity, subject, _ in self.mailed if severity is Severity.CRITICAL and "Manual" in subject
        ]


def field_of(value: Setting) -> dict[str, Any]:
    match value:
        case Reserve(percent=percent):
            return {"reserve": float(percent)}
        case Mode(mode=mode):
            return {"mode": mode}
        case GridCharging(allowed=allowed):
            return {"grid_charging": allowed}


def tariff(**more: Any) -> Tariff:
    """A peak of 20 % on weekdays from 14:00 to 20:00; else 100 %. Entered at 13:50, left at 20:01."""
    usual: dict[str, Any] = {
        "periods": (
            Period(name="peak", peak=True, reserve=Percent(20.0)),
            Period(name="off-peak", reserve=Percent(100.0)),
        ),
        "default": "off-peak",
        "hours": (Hours(period="peak", start_min=14 * 60, end_min=20 * 60, weekdays=WEEK),),
        "exit_s": 60.0,
    }
    return Tariff(**usual | more)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp()


class Battery(Site):
    """Lives by the wall clock of its house: 2027-01-15 is a Friday. Its calendar comes as the loop brings it."""

    def __init__(self, when: str = "2027-01-15T12:00", *keep: Any, of: Tariff | None = None) -> None:
        super().__init__(*keep)
        self.policy = house(
            site=SitePolicy(controls=(CLOUD,), keep=keep), tariff=of or tariff(), place=PLACE
        )  # fmt: skip
        self.almanac, self.forecast = Almanac(), None
        self.facts["reserve"] = 100.0
        self.go(when)

    def decide(self, inputs: Inputs) -> Decision:
        return super().decide(
            replace(inputs, calendar=self.almanac.around(self.policy, self.now()), forecast=self.forecast)
        )

    def go(self, when: str) -> Battery:
        """pimgr isn't there until then."""
        self.t = at(when) - EPOCH
        return self

    def until(self, when: str, step: float = 60.0) -> Battery:
        self.live(at(when) - EPOCH - self.t, step)
        return self

    @property
    def reserve(self) -> float:
        return float(self.facts["reserve"])

    def edges(self) -> list[str]:
        return [text for text in self.said if " began" in text or " is over" in text]

    def gusts(self, km_h: float, hours: float) -> Battery:
        """A forecast of now: one hour that begins so many hours from now."""
        hour = ForecastHour(
            start=self.now().wall + hours * 3600,
            temperature=Celsius(20.0),
            cloud=Percent(50.0),
            solar_w_m2=0.0,
            gust_m_s=km_h / 3.6,
        )
        self.forecast = ForecastReading(at=self.instant(), source="forecast", hours=(hour,))
        return self

    def black_out(self, seconds: float = 600.0) -> Battery:
        self.grid = "down"
        self.live(seconds)
        self.grid = "up"
        self.live(30)
        return self
