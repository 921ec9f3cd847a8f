"""A desk for table tests: says what is read at which second, and hands it to `decide` as the loop would."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pimgr.api import ForecastReading, Grid, GridReading, HostReading, Instant, LoadReading, Now, SiteReading, replace
from pimgr.policy.calendar import Calendar, Day
from pimgr.policy.decide import decide
from pimgr.policy.ledger.restart import resume
from pimgr.policy.model import (
    Action,
    Claim,
    Command,
    Decision,
    HostPower,
    Inputs,
    Outcome,
    PartPolicy,
    PartView,
    Policy,
    State,
    Switch,
    Tier,
    Timing,
)
from pimgr.units import Percent, Watts
from tests.policy.world import EPOCH, GATEWAY, host, switch

GRIDS = {"up": Grid.UP, "down": Grid.DOWN, "?": Grid.UNKNOWN}
OFF, ON = Switch(False), Switch(True)


def house(*, enforce: bool = False, timing: Timing | None = None, **more: object) -> Policy:
    """pump and nas go off at once, desk then heater below 50 %; the fridge is protected, though a tier names it."""
    parts: Mapping[str, PartPolicy] = {
        "pump": switch(enforce),
        "nas": host(),
        "desk": switch(),
        "heater": switch(),
        "fridge": switch(),
    }
    tiers = (
        Tier(name="at once", loads=("pump", "nas", "fridge")),
        Tier(name="low", below=Percent(50.0), restore_above=Percent(60.0), loads=("desk", "heater")),
    )
    timing = timing or Timing(confirm_s=0.0, settle_s=0.0, stagger_s=0.0, max_gap_s={GATEWAY: 6.0})
    return replace(Policy(parts=parts, tiers=tiers, never_shed=("fridge",), timing=timing), **more)


def a_day(start: float, *, hours: float = 24.0, ahead_s: float = 0.0, **more: object) -> Day:
    """A local day that begins at `start` (UTC in s), where clocks are `ahead_s` before UTC."""
    number = round((start + ahead_s) / 86400.0)
    named = {"date": f"day {number}", "title": f"day {number}", "weekday": (number + 3) % 7}
    return Day(number=number, start=start, end=start + hours * 3600.0, **{**named, **more})


class Desk:
    """`t` is CLOCK_BOOTTIME. Parts keep the reading that they had until they are read again."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or house()
        self.t, self.boot, self.wall_error, self.trusted = 1000.0, "boot-1", 0.0, True
        self.state, self.views, self.site = State(), dict[str, PartView](), None
        self.calendar: Calendar | None = None
        self.forecast: ForecastReading | None = None
        self.said: list[str] = []
        self.mails: list[str] = []
        self.decision = Decision(state=self.state)

    def now(self) -> Now:
        i = self.instant()
        return Now(i.mono_s, i.wall, i.boot, self.trusted)

    def instant(self, t: float | None = None) -> Instant:
        at = self.t if t is None else t
        return Instant(at, EPOCH + at + self.wall_error, self.boot)

    # ------------------------------------------------------------------------------------------------ the world

    def load(self, part: str, on: bool, *, age: float = 0.0, gap: bool = False, watts: float | None = None) -> None:
        """It was read, `age` s ago; with a `gap`, the read before that had failed."""
        at = self.instant(self.t - age)
        old = self.views.get(part, PartView())
        steady = at if gap or old.steady_since is None else old.steady_since
        reading = LoadReading(at=at, source=part, on=on, power_w=None if watts is None else Watts(watts))
        self.views[part] = PartView(reading=reading, steady_since=steady)

    def host(self, up: bool, boot: str | None = "nas-1", *, age: float = 0.0, last_boot: str | None = None) -> None:
        at = self.instant(self.t - age)
        reading = HostReading(at=at, source="nas", up=up, boot_id=boot if up else None)
        self.views["nas"] = PartView(reading=reading, steady_since=at, last_boot=boot if up else last_boot)

    def lost(self, part: str, fault: str = "no answer in 5 s") -> None:
        self.views[part] = PartView(reading=None, fault=fault)

    def charged(self, percent: float, load_w: float | None = None, solar_w: float | None = None) -> None:
        watts = None if load_w is None else Watts(load_w)
        solar = None if solar_w is None else Watts(solar_w)
        self.site = SiteReading(at=self.instant(), source=GATEWAY, charge=Percent(percent), load_w=watts, solar_w=solar)

    def answers(self, action: Action, error: str = "") -> Outcome:
        fact = f"{action.part}: {error}" if error else ""
        return Outcome(action=action.id, part=action.part, at=self.instant(), error=error, fact=fact)

    # ------------------------------------------------------------------------------------------------- the tick

    def tick(
        self, t: float | None = None, grid: str = "", outcomes: tuple[Outcome, ...] = (), command: Command | None = None
    ) -> Decision:
        """One decision at `t`, after a grid reading of "up", "down" or "?"."""
        self.t = self.t if t is None else t
        readings = (GridReading(at=self.instant(), source=GATEWAY, grid=GRIDS[grid], raw=grid),) if grid else ()
        commands = (command,) if command else ()
        inputs = Inputs(
            grid=readings,
            site=self.site,
            settings=(self.site,) if self.site else (),
            parts=self.views,
            outcomes=outcomes,
            commands=commands,
            calendar=self.calendar,
            forecast=self.forecast,
        )
        self.decision = self.decide(inputs)
        return self.decision

    def decide(self, inputs: Inputs) -> Decision:
        i = self.instant()
        decision = decide(self.state, inputs, self.policy, Now(i.mono_s, i.wall, i.boot, self.trusted))
        self.state = decision.state
        self.said += [e.text for e in decision.events]
        self.mails += [n.subject for n in decision.notices]
        return decision

    def restart(self) -> None:
        """pimgr was killed and starts again: what is durable is read back, the board is empty."""
        durable = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=State)
        self.state, self.views = resume(durable), {}

    def reboot(self, t: float = 20.0) -> None:
        self.t, self.boot, self.trusted = t, self.boot + "+", False
        self.restart()

    # ------------------------------------------------------------------------------------------------- shorthand

    def everything_on(self) -> None:
        for part in ("pump", "desk", "heater", "fridge"):
            self.load(part, True)
        self.host(True)

    def taken(self, part: str = "pump") -> Claim:
        """The house loses the grid, and `part` is seen as asked."""
        self.everything_on()
        self.tick(grid="down")
        self.t += 2
        if part == "nas":
            self.host(False)
        else:
            self.load(part, False)
        self.tick()
        return self.claim(part)

    def claim(self, part: str) -> Claim:
        return next(c for c in self.state.claims if c.part == part)

    def claimed(self) -> list[str]:
        return [c.part for c in self.state.claims]


def asked(decision: Decision, part: str) -> list[bool]:
    """What was asked of a part: False is off or shut down, True on or wake."""
    values = [a.value for a in decision.actions if a.part == part]
    return [v.up if isinstance(v, HostPower) else v.on for v in values]


def action(decision: Decision, part: str) -> Action:
    return next(a for a in decision.actions if a.part == part)
