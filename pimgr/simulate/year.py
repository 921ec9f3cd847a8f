"""A history of a house, lived through by pimgr and by those that it is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from pimgr.almanac import Almanac
from pimgr.api import Frozen, Now, replace
from pimgr.config import HouseConfig
from pimgr.local_time import zone_of
from pimgr.policy.aspects import Reserve
from pimgr.policy.terms import Policy
from pimgr.simulate import faults
from pimgr.simulate import home as homes
from pimgr.simulate.checks import Checks
from pimgr.simulate.engine import Brain, Calendars, Run
from pimgr.simulate.home import Home
from pimgr.simulate.outages import Outage
from pimgr.simulate.plant import Plant, World
from pimgr.simulate.ring import Ring
from pimgr.simulate.rivals import PLAIN, AllOff, Nothing, Settings, by_charge_only, keep_reserve
from pimgr.simulate.scenario import Scenario
from pimgr.simulate.score import Card, card
from pimgr.simulate.weather import Weather
from pimgr.units import Percent

NOWHERE_ZONE = "America/Los_Angeles"
"""Where a house stands whose config doesn't say: where the weather of a scenario comes from."""
OWN, OURS = "its own", "pimgr's"


class Setup(Frozen):
    """What is the same for every policy."""

    policy: Policy
    scenario: Scenario
    world: World
    outages: tuple[Outage, ...]
    calendars: Calendars

    def run(self, brain: Brain) -> Run:
        """A fresh house, at the beginning."""
        plant = Plant(self.world, self.policy.battery.capacity, self.scenario.charge)
        return Run(plant, brain, self.outages, self.calendars)


def set_up(house: HouseConfig, scenario: Scenario) -> Setup:
    """The house of a config in a scenario."""
    policy, home = house.policy, _home(house, scenario)
    zone = zone_of(policy.zone if policy.place else NOWHERE_ZONE)
    often = scenario.often * faults.OFTEN if scenario.faults else scenario.often
    outages = replace(scenario, often=often).outages(zone)
    if scenario.faults:
        outages = faults.with_flickers(outages, scenario.span_s, scenario.seed)
    climate = scenario.climate
    if policy.place and policy.place.latitude is not None and policy.place.longitude is not None:
        climate = replace(climate, latitude=policy.place.latitude, longitude=policy.place.longitude)
    weather = Weather(climate, scenario.begin(zone), scenario.span_s, scenario.seed, outages)
    almanac = Almanac()
    return Setup(
        policy,
        scenario,
        World(home, weather, zone, scenario.seed),
        outages,
        lambda wall: almanac.around(policy, Now(0.0, wall, "simulated", True)),
    )


def _home(house: HouseConfig, scenario: Scenario) -> Home:
    home = homes.of(house)
    given = {"solar_w": scenario.solar_w, "base_w": scenario.base_w, "power_w": scenario.power_w}
    site = replace(home.site, **{key: value for key, value in given.items() if value is not None})
    appliances = []
    for each in home.appliances:
        habit = scenario.habits.get(each.part)
        if habit is not None:
            watts = each.watts if habit.watts is None else habit.watts
            appliances.append(replace(each, watts=watts, use=habit.use or each.use))
        else:
            appliances.append(each)
    return replace(home, site=site, appliances=tuple(appliances))


class Lived(Frozen):
    """One policy's run, and its account; `found`: what the checks of pimgr's found."""

    run: Run
    card: Card
    found: tuple[str, ...] = ()


def ours(setup: Setup) -> Lived:
    """pimgr itself, with all that goes wrong if the scenario has faults."""
    checks = Checks()
    ring = Ring(policy=setup.policy, watches=(checks,))
    lived = _live(setup, ring, ("pimgr", OURS))
    checks.end(lived.run, ring)
    return replace(lived, found=tuple(checks.found))


def compared(setup: Setup, settings: Settings, *, own: bool = True) -> Iterator[Lived]:
    """The others, each with its own reserve (unless not `own`) and with `settings`, which is what pimgr asked for."""
    plain = [(0.0, Reserve(PLAIN))]
    brains: list[tuple[str, Callable[[], Brain], Settings]] = [
        ("no shedding", Nothing, plain),
        ("all off after 10 min", lambda: AllOff(setup.policy), _predecessors(setup)),
        ("tiers by charge only", lambda: Ring(policy=by_charge_only(setup.policy)), plain),
    ]
    for name, make, its in brains:
        if own:
            yield _live(setup, make(), (name, OWN), its)
        yield _live(setup, make(), (name, OURS), settings)


def _predecessors(setup: Setup) -> Settings:
    """powermgr_v2 kept nothing in peaks, and everything else the rest of the day; without a tariff it had no say."""
    tariff, begin = setup.policy.tariff, setup.world.weather.begin
    if tariff is None or not any(period.peak for period in tariff.periods):
        return [(0.0, Reserve(PLAIN))]
    found: list[tuple[float, Reserve]] = []
    wall = begin
    while wall < begin + setup.scenario.span_s:
        calendar = setup.calendars(wall)
        window = calendar.window(wall) if calendar else None
        if window is None:
            break
        found.append((max(0.0, window.start - begin), Reserve(Percent(0.0 if window.peak else 100.0))))
        wall = window.end
    return found


def _live(setup: Setup, brain: Brain, names: tuple[str, str], settings: Settings = ()) -> Lived:
    began = time.perf_counter()
    run = setup.run(brain)
    if isinstance(brain, Ring) and setup.scenario.faults:
        faults.Mishaps(run, brain, setup.scenario.seed, faults.Rates()).plan(setup.scenario.span_s)
    keep_reserve(run, settings)
    run.until(setup.scenario.span_s)
    mails, decisions = (len(brain.told_by_mail), brain.decisions) if isinstance(brain, Ring) else (0, 0)
    result = card(run, setup.policy, names, mails)
    return Lived(run, replace(result, decisions=decisions, took_s=time.perf_counter() - began))
