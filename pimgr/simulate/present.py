"""The house as it is now: what is on, what it draws, and the weather to come, as they were last told.

What isn't known is assumed, and said.
"""

from __future__ import annotations

from collections.abc import Sequence

from pimgr.api import ForecastDay, ForecastHour, ForecastReading, Frozen, Now, replace
from pimgr.config import HouseConfig
from pimgr.local_time import zone_of
from pimgr.policy.aspects import Level, SetPoints
from pimgr.policy.calendar import Place
from pimgr.policy.model import State
from pimgr.simulate import home as homes
from pimgr.simulate.devices import LEVEL_STEP, Charger, Host
from pimgr.simulate.home import Appliance, Home
from pimgr.simulate.plant import Plant, World
from pimgr.simulate.rooms import Room
from pimgr.simulate.uses import usual_share
from pimgr.simulate.weather import Climate, Hour, Weather
from pimgr.snapshot import Snapshot, ThermostatLine

HOUR_S = 3600.0
LONGEST_S = 72 * HOUR_S
"""As far as anybody looks ahead."""
USUAL_CHARGE = 80.0


class Known(Frozen, kw_only=True):
    """What the plan may rely on; None or nothing where it isn't known. `now`: by the box's own clock.

    `assumed`: in words, what whoever asks had to assume already.
    """

    now: Now
    snapshot: Snapshot | None = None
    state: State = State()
    forecast: ForecastReading | None = None
    assumed: tuple[str, ...] = ()


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


class Present:
    """`begin`: UTC in s, of the full hour with which its time begins; `t`: s since then. `assumed`: in words.

    `on`: by part; `owed`: what pimgr turned off already. `forecast_age_s`: of the one that is used, if any.
    """

    forecast_age_s: float | None = None

    def __init__(self, house: HouseConfig, known: Known) -> None:
        self.policy, self.known = house.policy, known
        self.assumed = list(known.assumed)
        self.place = self.policy.place or Place()
        self.wall = known.now.wall
        self.begin = self.wall // HOUR_S * HOUR_S
        self.t = self.wall - self.begin
        self.lines = {line.part: line for line in known.snapshot.parts} if known.snapshot else {}
        self.claims = {claim.part: claim for claim in known.state.claims}
        self.on: dict[str, bool] = {}
        self.world = self._world(house)
        self.owed = frozenset(part for part in self.claims if not self.on.get(part, True))
        self.charge = self._charge()

    def plant(self) -> Plant:
        """A house that goes on from here."""
        plant = Plant(self.world, self.policy.battery.capacity, self.charge, self.t)
        for part, on in self.on.items():
            device, line = plant.devices[part], self.lines.get(part)
            device.on, device.owed = on, part in self.owed
            if isinstance(device, Host):
                device.up = on
            elif isinstance(device, Charger) and line is not None and line.level is not None:
                device.level = line.level
        reserve = self._fact("reserve")
        plant.settings.reserve = plant.settings.reserve if reserve is None else reserve
        for told in self.known.snapshot.thermostats if self.known.snapshot else ():
            if told.part in plant.rooms and told.indoor is not None:
                self._furnish(plant.rooms[told.part], told)
        plant.settle()
        return plant

    def _furnish(self, room: Room, line: ThermostatLine) -> None:
        """It is as warm as it is; what is held is its own schedule, unless pimgr holds it."""
        claim, now = self.claims.get(line.part), SetPoints(line.heat, line.cool, line.until, line.permanent)
        before = claim.before if claim is not None and isinstance(claim.before, SetPoints) else now
        room.indoor = room.indoor if line.indoor is None else line.indoor
        room.own_cool = room.own_cool if before.cool is None else before.cool
        room.own_heat = room.own_heat if before.heat is None else before.heat
        room.resume()
        if claim is not None:
            room.set(now)

    def _world(self, house: HouseConfig) -> World:
        """Everything goes on drawing what it draws now."""
        home = homes.of(house)
        appliances, drawn = [], 0.0
        for each in home.appliances:
            on, measured = self._is_on(each), self._power_w(each.part)
            self.on[each.part] = on
            amps = self._amps(each)
            watts = each.watts * usual_share(each.use) * amps / each.amps if measured is None or not on else measured
            drawn += measured if measured is not None else watts if on else 0.0
            appliances.append(replace(each, watts=watts, amps=amps, use="always"))
        self._say_what_is_assumed([each.part for each in home.appliances if each.assumed])
        load = self._fact("load")
        base = home.site.base_w if load is None else max(0.0, load - drawn)
        if load is None:
            self.assumed.append(f"no meter tells what the house draws: {base:.0f} W beside its plugs are assumed")
        rooms = {name: replace(room, watts=0.0, feeder="") for name, room in home.thermostats.items()}
        home = replace(home, appliances=tuple(appliances), thermostats=rooms)
        home = replace(home, site=replace(home.site, base_w=base, solar_w=self._panels(home)))
        world = World(home, self._weather(), zone_of(self.place.zone), "plan")
        world.base_w[:] = [base] * len(world.base_w)
        return world

    def _is_on(self, each: Appliance) -> bool:
        """A graded load that pimgr lowered is off, as far as debts go."""
        line = self.lines.get(each.part)
        if line is None or line.level is None:
            return line is None or line.state not in ("off", "silent")
        return line.level >= self._amps(each) - LEVEL_STEP

    def _amps(self, each: Appliance) -> float:
        """What its owner set: before pimgr lowered it, or now; where it is off now, as the config has it."""
        line, claim = self.lines.get(each.part), self.claims.get(each.part)
        before = claim.before.level if claim is not None and isinstance(claim.before, Level) else 0.0
        return before or (line.level if line is not None else None) or each.amps

    def _power_w(self, part: str) -> float | None:
        return self.lines[part].power_w if part in self.lines else None

    def _say_what_is_assumed(self, parts: Sequence[str]) -> None:
        parts = [part for part in parts if self._power_w(part) is None]
        if parts:
            self.assumed.append(f"nobody tells what these draw, so it is assumed: {', '.join(parts)}")

    def _panels(self, home: Home) -> float:
        """The peak of the panels in W, as far as the config tells."""
        if self.policy.battery.solar_w_per_w_m2 is None:
            self.assumed.append("the sun is not counted: the config has no `solar` under [battery]")
            return 0.0
        return home.site.solar_w

    def _weather(self) -> Weather:
        reading = self.known.forecast
        hours = tuple(h for h in reading.hours if h.start + HOUR_S > self.wall) if reading is not None else ()
        if reading is not None and hours:
            self.forecast_age_s = max(0.0, self.wall - reading.at.wall)
        else:
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

    def _fact(self, name: str) -> float | None:
        """A number among the facts of the site."""
        facts = self.known.snapshot.site if self.known.snapshot else ()
        return next((fact.number for fact in facts if fact.name == name), None)
