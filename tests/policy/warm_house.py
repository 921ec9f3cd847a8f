"""A house with thermostats in virtual time, for the ring alone: a thermostat has a truth, seen through readings only.

It ticks every half minute, as a journal would see it: what a decision asks for is durable before it is on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from pimgr.api import (
    ForecastDay,
    ForecastReading,
    Grid,
    GridReading,
    Hold,
    Instant,
    Now,
    SiteMode,
    SiteReading,
    ThermostatMode,
    ThermostatReading,
)
from pimgr.policy.calendar import Calendar, Window
from pimgr.policy.decide import decide, worth_keeping
from pimgr.policy.ledger.restart import resume
from pimgr.policy.model import (
    Action,
    Aspect,
    Claim,
    Decision,
    Inputs,
    Origin,
    Outcome,
    PartPolicy,
    PartView,
    Policy,
    SetPoints,
    State,
    Timing,
)
from pimgr.policy.thermostats.comfort import Climate, Precool
from pimgr.units import Celsius, Percent
from tests.policy.desk import a_day
from tests.policy.devices import PERSON, PIMGR

DAY_S = 86400.0
MIDNIGHT = 20_833 * DAY_S
GATEWAY = "gateway"
STEP_S = 30.0
"""A shorter one than any patience of pimgr with a thermostat."""
POLL_S = 300.0
Watch = Callable[["WarmHouse", State, Inputs, Now, Decision], None]


def f(fahrenheit: float) -> Celsius:
    return Celsius((fahrenheit - 32.0) / 1.8)


def in_f(celsius: float | None) -> float | None:
    return None if celsius is None else round(celsius * 1.8 + 32.0, 1)


def wall(clock: str, day: int = 0) -> float:
    """A time of the local day, which is that of UTC here."""
    hours, minutes = clock.split(":")
    return MIDNIGHT + day * DAY_S + int(hours) * 3600 + int(minutes) * 60


def calendar(*peaks: tuple[str, str], season: str = "summer", days: int = 4) -> Calendar:
    """Days with these peaks, entered 10 min early and left a minute late; the time between is off-peak."""
    every, windows, since = [], list[Window](), MIDNIGHT - DAY_S
    for n in range(-1, days):
        every.append(a_day(wall("00:00", n), date=f"day {n}"))
        for begin, end in peaks:
            windows.append(_window(f"off-{n}-{begin}", season, since, wall(begin, n) - 600, peak=False))
            windows.append(_window(f"peak-{n}-{begin}", season, wall(begin, n) - 600, wall(end, n) + 60, peak=True))
            since = wall(end, n) + 60
    windows.append(_window("off-last", season, since, MIDNIGHT + (days + 1) * DAY_S, peak=False))
    return Calendar(days=tuple(every), windows=tuple(windows))


def _window(id: str, season: str, start: float, end: float, *, peak: bool) -> Window:
    begins, ends = (start + 600, end - 60) if peak else (start, end)
    period = "peak" if peak else "off-peak"
    return Window(id=id, period=period, season=season, peak=peak, start=start, end=end, begins=begins, ends=ends)


SUMMER = calendar(("14:00", "20:00"))
WINTER = calendar(("05:00", "09:00"), ("17:00", "21:00"), season="winter")
PRECOOL = Precool(cool=f(67), high=f(105))


def policy(*thermostats: str, **more: object) -> Policy:
    names = thermostats or ("hall",)
    of = PartPolicy(aspect=Aspect.HOLD, origin=Origin("tcc", "scripted.thermostat", {}), fresh_s=600.0)
    climate = Climate(thermostats=names, warmest=f(86), coolest=f(60), fahrenheit=True, **more)  # type: ignore[arg-type]
    timing = Timing(confirm_s=0.0, settle_s=60.0, stagger_s=5.0, max_gap_s={GATEWAY: 120.0})
    return Policy(parts=dict.fromkeys(names, of), climate=climate, timing=timing)


@dataclass(kw_only=True)
class Stat:
    """A thermostat. `fates`: of the next requests: "lost", "answer lost", "silent" (says yes and does nothing)."""

    name: str
    schedule: float = 74.0
    heat: float = 62.0
    mode: ThermostatMode = ThermostatMode.COOL
    held: SetPoints | None = None
    by: str = PERSON
    reachable: bool = True
    fates: list[str] = field(default_factory=list)
    hands: list[tuple[float, SetPoints]] = field(default_factory=list)
    gap_at: float = -1.0

    def live(self, t: float) -> None:
        if self.held and self.held.until is not None and t >= self.held.until:
            self.held = None

    @property
    def now(self) -> SetPoints:
        own = SetPoints(heat=f(self.heat), cool=f(self.schedule))
        if self.held is None:
            return own
        heat = own.heat if self.held.heat is None else self.held.heat
        cool = own.cool if self.held.cool is None else self.held.cool
        return SetPoints(heat=heat, cool=cool, until=self.held.until, permanent=self.held.permanent)

    @property
    def cool(self) -> float | None:
        """The cooling set point, in F."""
        return in_f(self.now.cool)

    def obey(self, value: SetPoints, by: str = PIMGR) -> None:
        self.held, self.by = (None if value.scheduled else value), by


class WarmHouse:
    """`t` is UTC in s; the boot clock is it less `boot_t`."""

    def __init__(
        self, policy: Policy, *stats: Stat, at: str = "11:00", days: Calendar = SUMMER, watches: tuple[Watch, ...] = ()
    ) -> None:
        self.policy, self.days, self.watches = policy, days, watches
        self.stats = {s.name: s for s in stats or (Stat(name="hall"),)}
        self.t = wall(at)
        self.boots, self.boot_t, self.trusted = 1, self.t - 1000.0, True
        self.charge: float | None = 90.0
        self.high: float | None = None
        self.sky_age_s = 0.0
        self.grid_up = True
        self.state, self.durable = State(), msgspec.msgpack.encode(State())
        self.wire: list[tuple[float, Action]] = []
        self.said: list[str] = []
        self.mails: list[str] = []
        self.crash_when = ""
        self._begin()

    # ----------------------------------------------------------------------------------------------- pimgr's life

    def _begin(self) -> None:
        durable = msgspec.msgpack.decode(self.durable, type=State)
        self.state = resume(durable)
        self.views: dict[str, PartView] = {}
        self.polled: dict[str, float] = {}
        self.outcomes: list[Outcome] = []
        self.decision = Decision(state=self.state)
        for stat in self.stats.values():
            stat.gap_at = self.t

    def crash(self) -> None:
        self._begin()

    def reboot(self, *, trusted: bool = False) -> None:
        """The box lost its power: a new boot, and a clock that nobody trusts."""
        self.boots, self.boot_t, self.trusted = self.boots + 1, self.t - 20.0, trusted
        self._begin()

    def instant(self) -> Instant:
        return Instant(self.t - self.boot_t, self.t, f"boot-{self.boots}")

    def now(self) -> Now:
        i = self.instant()
        return Now(i.mono_s, i.wall, i.boot, self.trusted)

    # ------------------------------------------------------------------------------------------------------- time

    def until(self, clock: str, day: int = 0) -> WarmHouse:
        self.run(wall(clock, day) - self.t)
        return self

    def run(self, seconds: float) -> None:
        end = self.t + seconds
        while self.t < end:
            self.t = min(end, self.t + STEP_S)
            for stat in self.stats.values():
                stat.live(self.t)
            self.tick()

    def _poll(self) -> None:
        for stat in self.stats.values():
            if self.t - self.polled.get(stat.name, -1e9) < POLL_S:
                continue
            self.polled[stat.name] = self.t
            old = self.views.get(stat.name, PartView())
            if not stat.reachable:
                stat.gap_at = self.t
                self.views[stat.name] = PartView(reading=old.reading, fault="no answer from the portal")
                continue
            now, at = stat.now, self.instant()
            until = None if now.until is None else Instant(now.until - self.boot_t, now.until, at.boot)
            hold = Hold(heat=now.heat, cool=now.cool, until=until, permanent=now.permanent)
            reading = ThermostatReading(at=at, source="tcc", indoor=f(75), mode=stat.mode, hold=hold)
            self.views[stat.name] = PartView(reading=reading, steady_since=old.steady_since or at)

    def inputs(self) -> Inputs:
        at = self.instant()
        day = self.days.day(self.t)
        forecast = None
        if self.high is not None and day is not None:
            read = Instant(at.mono_s - self.sky_age_s, at.wall - self.sky_age_s, at.boot)
            forecast = ForecastReading(at=read, source="sky", hours=(), days=(ForecastDay(day.date, f(self.high)),))
        charge = None if self.charge is None else Percent(self.charge)
        site = SiteReading(at=at, source=GATEWAY, charge=charge, mode=SiteMode.AUTONOMOUS)
        return Inputs(
            grid=(GridReading(at=at, source=GATEWAY, grid=Grid.UP if self.grid_up else Grid.DOWN),),
            site=site,
            settings=(site,),
            parts=dict(self.views),
            outcomes=tuple(self.outcomes),
            calendar=self.days if self.trusted else None,
            forecast=forecast,
        )

    def tick(self) -> Decision:
        self._poll()
        inputs, before, now = self.inputs(), self.state, self.now()
        self.outcomes = []
        decision = decide(before, inputs, self.policy, now)
        for watch in self.watches:
            watch(self, before, inputs, now, decision)
        crash, self.crash_when = (self.crash_when, "") if decision.actions else ("", self.crash_when)
        if crash == "before":
            self._begin()
            return decision
        if worth_keeping(before, decision):
            self.durable = msgspec.msgpack.encode(decision.state)
        self.state, self.decision = decision.state, decision
        self.said += [e.text for e in decision.events]
        self.mails += [n.subject for n in decision.notices]
        for action in () if crash == "committed" else decision.actions:
            self._send(action)
        if crash:
            self._begin()
        return decision

    def _send(self, action: Action) -> None:
        stat, value = self.stats[action.part], action.value
        assert isinstance(value, SetPoints)
        self.wire.append((self.t, action))
        fate = stat.fates.pop(0) if stat.fates else ""
        lost = fate == "lost" or not stat.reachable
        if not lost and fate != "silent":
            stat.obey(value)
        error = "Unreachable" if lost or fate == "answer lost" else ""
        fact = f"{action.part}: no answer" if error else ""
        self.outcomes.append(Outcome(action=action.id, part=action.part, at=self.instant(), error=error, fact=fact))
        self.polled.pop(action.part, None)  # it is read back

    # ---------------------------------------------------------------------------------------------------- people

    def hand(self, part: str, cool: float | None, until: str | None = "22:00") -> None:
        """Somebody at the thermostat: holds a set point, or lets it follow its schedule (None)."""
        stat, today = self.stats[part], int((self.t - MIDNIGHT) // DAY_S)
        end = None if until is None else wall(until, today)
        value = SetPoints() if cool is None else SetPoints(cool=f(cool), until=end, permanent=end is None)
        stat.obey(value, PERSON)
        stat.hands.append((self.t, value))

    def asked(self, part: str = "hall") -> list[float | str | None]:
        """What was asked of a thermostat, in F; "schedule" for its own."""
        values = [a.value for _, a in self.wire if a.part == part and isinstance(a.value, SetPoints)]
        return ["schedule" if v.scheduled else in_f(v.cool if v.cool is not None else v.heat) for v in values]

    def claim(self, part: str = "hall") -> Claim:
        return next(c for c in self.state.claims if c.part == part)
