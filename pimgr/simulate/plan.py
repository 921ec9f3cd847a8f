"""What pimgr will do: the next day as it will happen, and what would happen if the grid failed now.

The real `decide` lives through both, from the house as it is: charge, loads and forecast as they were last told. What
isn't known is assumed, and said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from pimgr.almanac import Almanac
from pimgr.api import ForecastDay, ForecastHour, Frozen, Now, replace
from pimgr.config import HouseConfig
from pimgr.local_time import zone_of
from pimgr.policy.aspects import Aspect
from pimgr.policy.calendar import Calendar, Place
from pimgr.policy.model import Inputs, State
from pimgr.policy.terms import Policy
from pimgr.policy.values import word
from pimgr.simulate import home as homes
from pimgr.simulate.devices import Charger, Host
from pimgr.simulate.engine import Run
from pimgr.simulate.outages import Outage
from pimgr.simulate.plant import FULL_SUN, PERFORMANCE, Plant, World
from pimgr.simulate.ring import Box, Ring
from pimgr.simulate.uses import usual_share
from pimgr.simulate.weather import Climate, Hour, Weather
from pimgr.snapshot import PartLine, Snapshot

HOUR_S = 3600.0
AHEAD_S = 24 * HOUR_S
LONGEST_S = 72 * HOUR_S
USUAL_CHARGE = 80.0


class Known(Frozen, kw_only=True):
    """What the plan may rely on; None or nothing where it isn't known. `now`: by the box's own clock."""

    now: Now
    snapshot: Snapshot | None = None
    state: State = State()
    inputs: Inputs | None = None


class Line(Frozen):
    """Something that will happen: UTC in s, what, and why. `charge`: of the battery then, in the second part."""

    wall: float
    text: str
    why: str = ""
    charge: float | None = None


class Plan(Frozen, kw_only=True):
    """`lasts_s`: how long the protected loads would have power; None: longer than was looked. `assumed`: in words.

    `overload`: they lose it because the house draws more than the battery gives, not because that is empty.
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


def plan(house: HouseConfig, known: Known) -> Plan:
    """The plan of a house."""
    return _Planning(house, known).plan()


class _Told(Weather):
    """The weather as the forecast tells it; where it tells nothing, as it usually is."""

    def __init__(
        self, begin: float, climate: Climate, told: Sequence[ForecastHour], days: Sequence[ForecastDay]
    ) -> None:
        super().__init__(climate, begin, LONGEST_S + HOUR_S, "plan", ())
        self._forecast, self._days = tuple(told), tuple(days)
        by_start = {int((hour.start - begin) // HOUR_S): hour for hour in told}
        for n, usual in enumerate(self.hours):
            mean = Hour(usual.temperature, self.usual[n], usual.irradiance, 0.0)
            hour = by_start.get(n)
            self.hours[n] = Hour(hour.temperature, hour.cloud / 100, hour.solar_w_m2, hour.gust_m_s) if hour else mean

    def forecast(self, t: float) -> tuple[ForecastHour, ...]:
        """As it stands now."""
        return self._forecast

    def days(self, t: float, dates: Sequence[tuple[str, float, float]]) -> tuple[ForecastDay, ...]:
        """As it stands now."""
        return self._days


class _Planning:
    def __init__(self, house: HouseConfig, known: Known) -> None:
        self.policy, self.known = house.policy, known
        self.assumed: list[str] = []
        self.place = self.policy.place or Place()
        self.wall = known.now.wall
        self.begin = self.wall // HOUR_S * HOUR_S
        self.t = self.wall - self.begin
        self.on: dict[str, bool] = {}
        self.world = self._world(house)
        self.charge = self._charge()
        self.almanac = Almanac()

    def plan(self) -> Plan:
        snapshot = self.known.snapshot
        in_outage = snapshot is not None and snapshot.phase in ("outage", "settling")
        day, lines = self._lived(AHEAD_S, in_outage), self._lived(LONGEST_S, True)
        first = next((row for row in lines.trace.rows if row[5]), None)
        dark = None if first is None else first[0]
        return Plan(
            at=self.wall,
            zone=str(self.world.zone),
            charge=self.charge,
            in_outage=in_outage,
            day=() if in_outage else tuple(self._day(day)),
            outage=tuple(self._outage(lines, dark)),
            lasts_s=None if dark is None else dark - self.t,
            overload=first is not None and first[1] > 1.0,
            assumed=tuple(self.assumed),
        )

    # -------------------------------------------------------------------------------------------------- the house now

    def _world(self, house: HouseConfig) -> World:
        """Everything goes on drawing what it draws now."""
        home = homes.of(house)
        lines = {line.part: line for line in self.known.snapshot.parts} if self.known.snapshot else {}
        appliances, drawn = [], 0.0
        for each in home.appliances:
            line = lines.get(each.part)
            self.on[each.part] = line is None or line.state not in ("off", "silent")
            measured = line.power_w if line is not None and self.on[each.part] else None
            watts = each.watts * usual_share(each.use) if measured is None else float(measured)
            drawn += watts if self.on[each.part] else 0.0
            appliances.append(replace(each, watts=watts, use="always"))
        self._say_what_is_assumed([each.part for each in home.appliances if each.assumed], lines)
        load = self._watts("load")
        base = home.site.base_w if load is None else max(0.0, load - drawn)
        if load is None:
            self.assumed.append(f"no meter tells what the house draws: {base:.0f} W beside its plugs are assumed")
        solar = self._panels()
        rooms = {name: replace(room, watts=0.0, feeder="") for name, room in home.thermostats.items()}
        home = replace(home, appliances=tuple(appliances), thermostats=rooms)
        home = replace(home, site=replace(home.site, base_w=base, solar_w=solar))
        world = World(home, self._weather(), zone_of(self.place.zone), "plan")
        world.base_w[:] = [base] * len(world.base_w)
        return world

    def _say_what_is_assumed(self, parts: Sequence[str], lines: Mapping[str, PartLine]) -> None:
        parts = [part for part in parts if part not in lines or lines[part].power_w is None]
        if parts:
            self.assumed.append(f"nobody tells what these draw, so it is assumed: {', '.join(parts)}")

    def _panels(self) -> float:
        """W of the panels at full sun, as far as the config tells."""
        scale = self.policy.battery.solar_w_per_w_m2
        if scale is None:
            self.assumed.append("the sun is not counted: the config has no `solar` under [battery]")
            return 0.0
        return scale * FULL_SUN / PERFORMANCE

    def _weather(self) -> Weather:
        reading = self.known.inputs.forecast if self.known.inputs is not None else None
        hours = tuple(h for h in reading.hours if h.start + HOUR_S > self.wall) if reading is not None else ()
        if not hours:
            self.assumed.append("there is no forecast: an ordinary day of the season is assumed")
        usual = Climate()
        where = {
            "latitude": usual.latitude if self.place.latitude is None else self.place.latitude,
            "longitude": usual.longitude if self.place.longitude is None else self.place.longitude,
        }
        return _Told(self.begin, replace(usual, **where), hours, reading.days if reading is not None else ())

    def _charge(self) -> float:
        snapshot = self.known.snapshot
        if snapshot is not None and snapshot.charge is not None:
            return float(snapshot.charge)
        self.assumed.append(f"the battery's charge is not known: {USUAL_CHARGE:g} % are assumed")
        return USUAL_CHARGE

    def _watts(self, name: str) -> float | None:
        """A power among the facts of the site."""
        facts = self.known.snapshot.site if self.known.snapshot else ()
        told = next((fact.value for fact in facts if fact.name == name), "")
        found = re.fullmatch(r"(-?\d+) W", told)
        return float(found[1]) if found else None

    # ------------------------------------------------------------------------------------------------- lived through

    def _lived(self, span_s: float, outage: bool) -> Run:
        plant = Plant(self.world, self.policy.battery.capacity, self.charge, self.t)
        for part, on in self.on.items():
            device = plant.devices[part]
            device.on = on
            if isinstance(device, Host):
                device.up = on
            elif isinstance(device, Charger) and not on:
                device.level = 0.0
        plant.settings.reserve = self._reserve()
        for line in self.known.snapshot.thermostats if self.known.snapshot else ():
            room = plant.rooms.get(line.part)
            if room is not None and line.indoor is not None:
                room.indoor = line.indoor
                room.own_cool = room.own_cool if line.cool is None else line.cool
                room.own_heat = room.own_heat if line.heat is None else line.heat
                room.resume()
        plant.settle()
        now = self.known.now
        box = Box(name=now.boot, boot_t=self.t - now.mono_s)
        state = self.known.state
        ring = Ring(policy=self.policy, box=box, state=state, durable=state, wake=self.t)
        outages = (Outage(start=self.t, end=self.t + 2 * LONGEST_S),) if outage else ()
        run = Run(plant, ring, outages, self._calendar)
        run.until(self.t + span_s)
        return run

    def _reserve(self) -> float:
        facts = self.known.snapshot.site if self.known.snapshot else ()
        told = next((fact.value for fact in facts if fact.name == "reserve"), "")
        found = re.fullmatch(r"([\d.]+) %", told)
        return float(found[1]) if found else 20.0

    def _calendar(self, wall: float) -> Calendar | None:
        return self.almanac.around(self.policy, Now(0.0, wall, "plan", True))

    # ------------------------------------------------------------------------------------------------------------ told

    def _day(self, run: Run) -> list[Line]:
        """Windows of the tariff, what is asked of battery and thermostats, and what is mailed."""
        lines = [Line(self.begin + t, text, why) for t, text, why in _asked(run, self.policy)]
        calendar = self._calendar(self.wall)
        for window in calendar.windows if calendar else ():
            if self.wall < window.start <= self.wall + AHEAD_S:
                kind = " (peak)" if window.peak and window.period != "peak" else ""
                lines.append(Line(window.start, f"the tariff's period {window.period}{kind} begins"))
        ring = run.brain
        if isinstance(ring, Ring):
            lines += [Line(self.begin + t, f"mail: {subject}") for t, subject in ring.told_by_mail]
        return sorted(lines, key=lambda line: (line.wall, not line.text.startswith("the tariff")))

    def _outage(self, run: Run, dark: float | None) -> list[Line]:
        """What goes off and comes back, each time with the charge, until the battery is empty."""
        lines: list[Line] = []
        before: frozenset[str] = frozenset()
        tier = homes.tier_of(self.policy)
        end = math.inf if dark is None else dark
        for t, shed in run.trace.shed:
            charge = next((row[1] for row in run.trace.rows if row[0] >= t), None)
            off = [part for part in self.on if part in shed - before]
            back = [part for part in self.on if part in before - shed]
            for parts, verb in ((off, "off"), (back, "on again")):
                if parts and t < end:
                    tiers = ", ".join(dict.fromkeys(tier[part] for part in parts if part in tier))
                    lines.append(Line(self.begin + t, f"{verb}: {self._names(parts)}", tiers, charge))
            before = shed
        return _gathered(lines)

    def _names(self, parts: Sequence[str]) -> str:
        return ", ".join(self.policy.parts[part].title or part for part in parts)


def _asked(run: Run, policy: Policy) -> list[tuple[float, str, str]]:
    """What is asked of the battery and the thermostats, once each."""
    ring, found = run.brain, []
    if not isinstance(ring, Ring):
        return []
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
